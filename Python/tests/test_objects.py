"""The descriptions in man/objects, and what man/generate makes of them."""

import re
import shutil
import subprocess
import sys

import pytest
from dumps import TOP


def generate(top, *arguments):
    script = top / "man" / "generate"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    """A copy of what man/generate reads and writes."""
    shutil.copytree(TOP / "man", tmp_path / "man")
    codes = tmp_path / "Sources" / "Bytes"
    codes.mkdir(parents=True)
    shutil.copy(TOP / "Sources" / "Bytes" / "DiagnosticCode.swift", codes)
    (tmp_path / "Python" / "kva").mkdir(parents=True)
    shutil.copy(TOP / "Python" / "kva" / "__init__.py", tmp_path / "Python" / "kva")
    return tmp_path


def append(copy, name, text):
    with open(copy / "man" / "objects" / name, "a") as file:
        file.write(text)


def test_what_is_generated_is_up_to_date():
    done = generate(TOP, "--check")
    assert done.returncode == 0, done.stderr


def test_a_new_field_reaches_schema_page_and_module(copy):
    append(copy, "vmalloc.fields", "  added?  hex | null  A new field; absent if old.\n")
    stale = generate(copy, "--check")
    assert stale.returncode == 1
    for file in ("man/schema/vmalloc.json", "man/kva-json.5", "Python/kva/__init__.py"):
        assert file in stale.stderr
    assert "man/schema/tasks.json" not in stale.stderr
    assert generate(copy).returncode == 0
    assert generate(copy, "--check").returncode == 0
    assert '"added": {' in (copy / "man" / "schema" / "vmalloc.json").read_text()
    page = (copy / "man" / "kva-json.5").read_text()
    assert ".It Va added No (hex string or null; may be absent)\nA new field; absent if old.\n" in page
    module = (copy / "Python/kva/__init__.py").read_text()
    assert "    added: Optional[int]\n" in module
    assert "added" in re.search(r'_HEX_KEYS = .*?"""(.*?)"""', module, re.DOTALL)[1].split()


def test_a_new_command_gets_a_schema_a_section_and_a_method(copy):
    text = "command new  New  One object.\n\nobject New  What is new.\n  size  count  Its size.\n"
    (copy / "man" / "objects" / "new.fields").write_text(text)
    (copy / "man" / "kva-new.1").write_text(".Nd do it\n.Cm nouveau\nis another name for the command.\n")
    assert generate(copy).returncode == 0
    assert (copy / "man" / "schema" / "new.json").exists()
    assert ".It Cm new , nouveau\nDo it.\nSee\n.Xr kva-new 1 .\n" in (copy / "man" / "kva.1").read_text()
    assert "\n.Ss new\n" in (copy / "man" / "kva-json.5").read_text()
    assert "def new(self, *arguments: Query, **options: Any) -> list[New]:" in (copy / "Python/kva/__init__.py").read_text()
    (copy / "man" / "objects" / "new.fields").unlink()
    assert "new.json" in generate(copy, "--check").stderr


def test_what_is_planned_is_not_promised(copy):
    (copy / "man" / "objects" / "planned").mkdir(exist_ok=True)
    append(copy, "planned/stack.fields", "\nobject Unwritten  It is not there.\n  none  count  Nothing.\n")
    assert generate(copy, "--check").returncode == 0


@pytest.mark.parametrize(
    "text, problem",
    [
        ("  name  text  The name twice.\n", "has a field twice"),
        ("  other  nosuch  A type that is not there.\n", "nosuch is not described"),
        ("  other  text  No sentence\n", "not a sentence"),
        ("  other?  text  A field.\n", "does not say when it is absent"),
        ("  other  text | | null  A field.\n", "unexpected '|'"),
        ("  other  (text  A field.\n", "'(' is not closed"),
        ("  other text  A field.\n", "two spaces"),
        ("  address2  text  A field.\n  ...Nothing\n", "Nothing, which is not described"),
        ('  when name = "a"  nosuch; otherwise name\n', "not an optional field"),
        ("object Symbol  Again.\n", "described twice"),
        ("  again  Symbol[]  Itself.\n", "contains itself"),
        ("\nobject Unused  Nothing.\n  name  text  A name.\n", "no command prints a Unused"),
        ("  start  text  A hex string in other objects.\n", "a hex string elsewhere"),
    ],
)
def test_a_wrong_description_is_refused(copy, text, problem):
    # The last object of this file is Symbol.
    append(copy, "symbols.fields", text)
    done = generate(copy)
    assert done.returncode == 1
    assert problem in done.stderr


def test_every_described_field_is_written():
    written = set()
    for path in (TOP / "Sources" / "kva").rglob("*.swift"):
        text = path.read_text()
        written |= set(re.findall(r'"(\w+)"', text)) | set(re.findall(r'\\"(\w+)\\":', text))
        written |= {f"{name}Code" for name in re.findall(r'\.diagnostic\("(\w+)"', text)}
    # The fields of TCR_EL1 have the names of the enumeration.
    control = (TOP / "Sources" / "VMSA" / "Registers" / "TranslationControl.swift").read_text()
    written |= {name.lower() for name in re.findall(r'case \S+ = "(\w+)"', control)}
    described = set()
    for path in (TOP / "man" / "objects").glob("*.fields"):
        described |= set(re.findall(r"^  (\w+)\??  ", path.read_text(), re.MULTILINE))
    assert len(described) > 150
    assert described - written == set()
