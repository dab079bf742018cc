"""Compiled templates, kept for all applications of a test process.

Each application compiles the templates of its pages for itself, which takes longer than to show them, and tests make
hundreds of applications. What is kept is what Jinja made of the same text: another text is compiled again.
"""

from io import BytesIO

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class CompiledTemplates(BytecodeCache):
    """Jinja's cache of compiled templates, in memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bool, bool], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template its code, if the same text was compiled before; called by Jinja."""
        if kept := self._kept.get(_place(bucket)):
            bucket.load_bytecode(BytesIO(kept))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template; called by Jinja."""
        written = BytesIO()
        bucket.write_bytecode(written)
        self._kept[_place(bucket)] = written.getvalue()


def _place(bucket: Bucket) -> tuple[str, bool, bool]:
    """A template's file, and the options that not all applications set before they compile it."""
    return bucket.key, bucket.environment.trim_blocks, bucket.environment.lstrip_blocks


def keep_compiled_templates() -> None:
    """Lets all applications of this process share what Jinja compiled."""
    Flask.jinja_options = Flask.jinja_options | {"bytecode_cache": CompiledTemplates()}
