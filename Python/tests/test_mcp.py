"""kva mcp, asked by the protocol's own SDK."""

import asyncio
import json

import pytest

mcp = pytest.importorskip("mcp", reason="the SDK of the Model Context Protocol is not installed")
from mcp.client.stdio import stdio_client  # noqa: E402


def plain(answer):
    """An answer as the protocol names its members, which versions of the SDK spell differently."""
    return answer.model_dump(by_alias=True, mode="json")


def asked(program, dump, questions, *options):
    """The tools, and the answers to `questions`: pairs of a tool's name and its arguments."""

    async def ask():
        server = mcp.StdioServerParameters(command=str(program), args=["mcp", str(dump), *options])
        async with stdio_client(server) as (read, write), mcp.ClientSession(read, write) as session:
            assert plain(await session.initialize())["serverInfo"]["name"] == "kva"
            tools = plain(await session.list_tools())["tools"]
            return tools, [plain(await session.call_tool(name, arguments)) for name, arguments in questions]

    return asyncio.run(asyncio.wait_for(ask(), 300))


@pytest.fixture
def dead(entry):
    return entry("oops-612-null").path("vmcore.d31-elf")


def text(answer):
    assert [content["type"] for content in answer["content"]] == ["text"]
    return answer["content"][0]["text"]


#: What some tools have to be given.
ARGUMENTS = {
    "resolve": ["init_task"], "identify": ["init_task"], "read": ["init_uts_ns", "16"], "rmap": ["0x40e94000"],
    "type": ["list_head"], "print": ["init_task.comm"], "list": ["task_struct.tasks", "init_task.tasks"],
    "tree": ["idr", "pid", "init_pid_ns.idr"], "page": ["init_task"], "maps": ["1"], "files": ["1"],
    "search": ["0xdead000000000122"],
}
OPTIONS = {"layout": {"kernel": "6.12", "page-size": "4K", "va-bits": "48"}, "ptdump": {"region": "vmemmap"}}


def test_every_tool(program, dead):
    tools, _ = asked(program, dead, [])
    names = [tool["name"] for tool in tools]
    assert {"report", "stack", "fault", "identify", "print", "slab"} <= set(names)
    assert not {"export", "shell", "batch", "gdbserver", "mcp", "diff", "view"} & set(names)
    for tool in tools:
        assert tool["description"] and tool["annotations"]["readOnlyHint"]
        assert not {"output", "export", "vmlinux", "help"} & set(tool["inputSchema"]["properties"])
    questions = []
    for name in names:
        arguments = dict(OPTIONS.get(name, {}))
        if name in ARGUMENTS:
            arguments["arguments"] = ARGUMENTS[name]
        questions.append((name, arguments))
    _, answers = asked(program, dead, questions)
    for name, answer in zip(names, answers):
        assert not answer["isError"], (name, text(answer))
        assert text(answer), name


def test_answers(program, dead):
    _, (comm, report, wrong, unknown) = asked(
        program, dead,
        [
            ("print", {"arguments": ["init_task.comm"]}), ("report", {"json": True}),
            ("tasks", {"arguments": [], "no-such": True}), ("print", {"arguments": ["no_such_name"]}),
        ])
    assert '"swapper/0"' in text(comm)
    assert json.loads(text(report).splitlines()[0])["crash"]["panic"] == "Oops: Fatal exception"
    assert unknown["isError"] is False and "no_such_name" in text(unknown)
    assert wrong["isError"]


def test_no_memory_of_users(program, machine):
    """What the process that ran at EL0 had mapped is shown with --user alone."""
    whole = machine.path("vmcore.elf")
    question = [("read", {"arguments": ["0x400000", "16"], "ttbr0": "1"})]
    _, (hidden,) = asked(program, whole, question)
    _, (shown,) = asked(program, whole, question, "--user")
    assert "7f 45 4c 46" in text(shown) or "7f454c46" in text(shown)
    assert "7f 45 4c 46" not in text(hidden) and "7f454c46" not in text(hidden)
    assert "filtered" in text(hidden)
