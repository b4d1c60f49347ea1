"""The generated types of the module against the JSON Schema of what the command prints."""

import json

import kva
import pytest
from dumps import TOP

SCHEMA = TOP / "man" / "schema"
COMMON = json.loads((SCHEMA / "common.json").read_text())["$defs"]
FILES = {path.stem: json.loads(path.read_text()) for path in SCHEMA.glob("*.json")}
#: With --type read prints another object.
PIECE = FILES["read"]["oneOf"][0]

TYPES = {
    "info": kva.Info, "resolve": kva.Resolution, "identify": kva.Identity, "regions": kva.Region,
    "ptdump": kva.MappedRange, "rmap": kva.ReverseMapping, "symbols": kva.Symbol, "modules": kva.Module,
    "vmalloc": kva.VmallocArea, "report": kva.Report, "batch": kva.BatchAnswer,
}  # fmt: skip
SHARED = {
    "attributes": kva.Attributes, "mapping": kva.Mapping, "step": kva.Step, "range": kva.Range, "cpu": kva.CPU,
    "task": kva.Task, "finding": kva.Finding, "logRecord": kva.LogRecord, "problem": kva.Problem,
    "hypervisorAddress": kva.HypervisorAddress,
}  # fmt: skip


@pytest.mark.parametrize("schema, kind", [(PIECE, kva.Piece)] + [(FILES[name], kind) for name, kind in TYPES.items()]
                         + [(COMMON[name], kind) for name, kind in SHARED.items()])  # fmt: skip
def test_keys_are_those_of_the_schema(schema, kind):
    assert set(kind.__required_keys__) == set(schema["required"])
    assert set(kind.__optional_keys__) == set(schema["properties"]) - set(schema["required"])


def is_hex(schema):
    choices = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return any(choice.get("$ref", "").endswith("/hex") for choice in choices)


def properties(node):
    """Every property of a schema, at any depth."""
    if isinstance(node, dict):
        for name, schema in node.get("properties", {}).items():
            if isinstance(schema, dict):
                yield name, schema
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from properties(child)


def test_hex_strings_are_known():
    wanted = {name for name, schema in properties(list(FILES.values())) if is_hex(schema)}
    assert len(wanted) > 30
    values = set().union(*kva._VALUE_KEYS.values())
    assert kva._HEX_KEYS <= wanted <= kva._HEX_KEYS | values


def test_every_command_has_a_method():
    # A request of `batch` is `Dump.ask`.
    commands = FILES.keys() - {"common", "batch"}
    assert {name for name in commands if not callable(getattr(kva.Dump, name, None))} == set()
