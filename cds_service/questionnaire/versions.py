"""The supported versions of Da Vinci DTR, and their differences.

Read in HL7/davinci-dtr at the tags 2.0.1 and 2.2.0 (input/fsh).
"""

from enum import StrEnum

from cds_service.fhir.elements import Json

DTR = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition"


class Version(StrEnum):
    """A version of Da Vinci DTR."""

    V2_2 = "2.2"
    V2_0_1 = "2.0.1"

    @property
    def has_expressions(self) -> bool:
        """Whether a Questionnaire has expressions: 2.2 prefers FHIRPath (spec-61); 2.0.1 requires CQL, which does not
        exist yet."""
        return self is Version.V2_2

    @property
    def bundle_parameter(self) -> str:
        """The name of the output parameter for a package."""
        return "packagebundle" if self is Version.V2_2 else "PackageBundle"

    @property
    def outcome_parameter(self) -> str:
        """The name of the output parameter for warnings."""
        return "outcome" if self is Version.V2_2 else "operationOutcome"

    @property
    def origin_of_server(self) -> str:
        """The code of an answer that the server filled in (extension information-origin)."""
        return "auto-server" if self is Version.V2_2 else "auto"

    @property
    def intended_use_system(self) -> str:
        """The code system for the purpose of a response (Da Vinci CRD, doc-purpose)."""
        name = "coverage-information-codes" if self is Version.V2_2 else "temp"
        return f"http://hl7.org/fhir/us/davinci-crd/CodeSystem/{name}"

    def context(self, coverages: list[Json], orders: list[Json]) -> list[Json]:
        """The extensions of a response with its context (References); 2.0.1 uses one extension for both kinds."""
        of_coverage = "qr-coverage" if self is Version.V2_2 else "qr-context"
        return [
            *({"url": f"{DTR}/{of_coverage}", "valueReference": item} for item in coverages),
            *({"url": f"{DTR}/qr-context", "valueReference": item} for item in orders),
        ]
