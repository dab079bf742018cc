"""HealthChain: its CDS Hooks service twice, once with its FHIR models and readers, once on the plain prefetch.

``uvicorn tests.bench.peers.healthchain_service:app`` in the environment of ``requirements.txt``. HealthChain keeps one
handler for each hook of a service, so that there are two services.
"""

from datetime import date

from healthchain.fhir import calculate_age_from_birthdate, convert_prefetch_to_fhir_objects, get_coded_entries
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.gateway.cds import CDSHooksConfig
from healthchain.models import CDSRequest, CDSResponse

from tests.bench.peers.criteria import ADULT, BACK_PAIN, CRITERIA, EXERCISES, OBESITY, PAIN, card, decided

READ = ("patient", "condition", "procedure", "observation")

models = CDSHooksService(CDSHooksConfig(base_path="/models"))
plain = CDSHooksService(CDSHooksConfig(base_path="/plain"))


@models.hook("order-sign", id="criteria")
def decide_with_models(request: CDSRequest) -> CDSResponse:
    """Reads what the criteria are about, and nothing else, as FHIR models."""
    chart = convert_prefetch_to_fhir_objects({key: request.prefetch[key] for key in READ})
    conditions = get_coded_entries(chart["condition"], "Condition", status="active")
    procedures = get_coded_entries(chart["procedure"], "Procedure", status="completed")
    observations = get_coded_entries(chart["observation"], "Observation")
    met = {
        ADULT: calculate_age_from_birthdate(str(chart["patient"].birthDate)) >= CRITERIA[ADULT]["years"],
        BACK_PAIN: any(is_of(entry, BACK_PAIN) for entry in conditions),
        EXERCISES: sum(is_of(entry, EXERCISES) for entry in procedures) >= CRITERIA[EXERCISES]["times"],
        PAIN: any(is_of(entry, PAIN) and is_above(entry, PAIN) for entry in observations),
        OBESITY: any(is_of(entry, OBESITY) and is_above(entry, OBESITY) for entry in observations),
    }
    return CDSResponse(cards=[card(met)])


@plain.hook("order-sign", id="criteria")
def decide_on_plain_json(request: CDSRequest) -> CDSResponse:
    """Reads the prefetch as it came."""
    return CDSResponse(cards=[card(decided(request.prefetch, date.today()))])


def is_of(entry, criterion):
    """Whether a coded entry has one of a criterion's codes."""
    system, codes = CRITERIA[criterion]["system"], CRITERIA[criterion]["codes"]
    return any(coding.system == system and coding.code in codes for coding in entry.codings)


def is_above(entry, criterion):
    """Whether an entry's value is above a criterion's limit."""
    return entry.value is not None and entry.value > CRITERIA[criterion]["above"]


app = HealthChainAPI()
app.register_service(models)
app.register_service(plain)
