"""Policies loaded in the vocabulary that ships, as tests load them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cds_service.facts.vocabulary import VOCABULARY
from cds_service.policy.code_packs import CodePack
from cds_service.policy.json_files import FileSchema
from cds_service.policy.loading import folder as loader
from cds_service.policy.loading import vocabulary
from cds_service.policy.model import Policy


def load_policy(folder: Path, packs: Sequence[CodePack] = ()) -> Policy:
    """The policy of a folder."""
    return loader.load_policy(folder, VOCABULARY, packs)


def read_documents(folder: Path) -> dict[str, Any]:
    """Its documents, by name."""
    return loader.read_all_documents(folder, VOCABULARY)


def policy_of(
    folder: Path, documents: Mapping[str, Any], unchanged: loader.Unchanged = loader.NOTHING_IS_UNCHANGED
) -> Policy:
    """The policy of documents."""
    return loader.policy_of(folder, documents, VOCABULARY, unchanged)


def schema(name: str) -> FileSchema:
    """The schema of one file of a policy folder."""
    return vocabulary.schema(name, VOCABULARY)
