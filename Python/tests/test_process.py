"""The process behind a `Dump`: what goes wrong, in which order answers come, how it ends."""

import gc
import itertools
import os
import pathlib
import signal
import threading

import kva
import pytest


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_not_there(dump):
    assert dump.resolve("no_such_name")["status"] == "unknown-symbol"
    assert dump.resolve(0xFFFF7FFFFFFFF000)["status"] == "unmapped"
    with pytest.raises(kva.NotFound, match="0x0: .*not in this dump"):
        dump.read(0, 16, physical=True)
    assert dump.read_pieces(0, 16, physical=True)[0]["bytes"] is None
    with pytest.raises(kva.NotFound, match="no task with PID 99999") as caught:
        dump.resolve(0x400000, ttbr0=99999)
    assert caught.value.kind == "not-found" and caught.value.file == dump.path
    with pytest.raises(kva.NotFound):
        dump.symbols("no*such*name")
    assert dump.resolve("init_task")["status"] == "mapped"


def test_what_cannot_be_asked(dump):
    for command, arguments, options in [
        ("nosuch", (), {}),
        ("resolve", (), {}),
        ("resolve", ("init_task",), {"nonsense": True}),
        ("rmap", ("x",), {}),
    ]:
        answer = dump.ask(command, *arguments, **options)
        assert answer.status == 64 and answer.results == []
        with pytest.raises(kva.BadRequest):
            answer.checked()
    for value in (float("nan"), object(), {1}):
        with pytest.raises(kva.BadRequest):
            dump.ask("resolve", value)
    assert dump.resolve("init_task")["status"] == "mapped"


def test_dumps_that_cannot_be_opened(machine, program, tmp_path):
    with pytest.raises(kva.DumpError, match="No such file") as caught:
        kva.Dump(tmp_path / "none", kva=program)
    assert (caught.value.kind, caught.value.file, caught.value.offset) == ("system", str(tmp_path / "none"), None)
    # An ELF header of a core that lies about its class.
    (tmp_path / "elf").write_bytes(b"\x7fELF\x01\x01\x01" + bytes(57))
    with pytest.raises(kva.DumpError) as caught:
        kva.Dump(tmp_path / "elf", kva=program)
    assert (caught.value.kind, caught.value.file, caught.value.offset) == ("unsupported", str(tmp_path / "elf"), 4)
    (tmp_path / "text").write_text("no dump\n" * 10000)
    with pytest.raises(kva.DumpError):
        kva.Dump(tmp_path / "text@zero", kva=program)
    assert kva.report(tmp_path / "none", kva=program)["error"]["kind"] == "system"
    with pytest.raises(kva.BadRequest, match="--nosuch"):
        kva.Dump(machine.path("vmcore.elf"), kva=program, nosuch=1)
    with pytest.raises(kva.DumpError):
        kva.Dump(machine.path("vmcore.elf"), kva=program, vmlinux=tmp_path / "none").resolve("init_task")
    with pytest.raises(kva.Ended, match="within 0"):
        kva.report(machine.path("vmcore.elf"), kva=program, timeout=0)


def test_memory_without_a_kernel(program, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(range(256)) * 64)
    with kva.Dump(f"{tmp_path}/raw@0x40000000", kva=program) as dump:
        assert dump.read(0x40000010, 4, physical=True) == b"\x10\x11\x12\x13"
        with pytest.raises(kva.DumpError) as caught:
            dump.resolve("init_task")
        assert caught.value.kind == "missing"
        with pytest.warns(kva.Incomplete):
            assert dump.info()["pageSize"] is None
        assert dump.report()["error"]["kind"] == "missing"


def test_no_program(machine, monkeypatch, tmp_path):
    with pytest.raises(kva.ProgramNotFound, match="nowhere"):
        kva.Dump(machine.path("vmcore.elf"), kva=tmp_path / "nowhere")
    monkeypatch.delenv("KVA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(kva.ProgramNotFound, match="KVA"):
        kva.Dump(machine.path("vmcore.elf"))


def test_installed_beside_the_module(program, monkeypatch, tmp_path):
    """The program of a virtual environment that is not activated."""
    monkeypatch.delenv("KVA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "kva").symlink_to(program)
    monkeypatch.setattr(kva.sysconfig, "get_path", lambda name: str(scripts) if name == "scripts" else None)
    (tmp_path / "raw").write_bytes(bytes(16384))
    with kva.Dump(f"{tmp_path}/raw@0x40000000") as dump:
        assert dump.read(0x40000010, 4, physical=True) == bytes(4)


def test_program_of_the_environment_and_of_path(machine, program, monkeypatch, tmp_path):
    monkeypatch.setenv("KVA", str(program))
    monkeypatch.setenv("PATH", str(tmp_path))
    with kva.Dump(machine.path("vmcore.elf")) as dump:
        assert dump.resolve("init_task")["status"] == "mapped"
    (tmp_path / "kva").symlink_to(program.resolve())
    monkeypatch.setenv("KVA", "")
    with kva.Dump(machine.path("vmcore.elf")) as dump:
        assert dump.resolve("init_task")["status"] == "mapped"


@pytest.mark.parametrize("walk", [False, True])
def test_more_than_the_pipes_hold(dump, walk):
    # Answers of some 100 MB, asked for by some 1 MB: both are many times what a pipe holds.
    addresses = [0xFFFF000000000000 + 4096 * (number % 32768) for number in range(50_000)]
    answers = dump.resolve_many(iter(addresses), walk=walk)
    for address, answer in itertools.zip_longest(addresses, answers):
        assert answer["virtual"] == address
        assert ("walk" in answer) == (walk or answer["status"] != "mapped")


def test_requests_longer_than_a_pipe(dump):
    names = [f"init_task+{number}" for number in range(40_000)]
    requests = [kva.Request("resolve", tuple(names)), kva.Request("resolve", ("init_task",))] * 2
    answers = list(dump.ask_many(requests))
    assert [len(answer.results) for answer in answers] == [40_000, 1, 40_000, 1]
    assert [one["query"] for one in answers[0].results] == names


def test_reading_ahead_is_bounded(dump):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield "init_task"

    answers = dump.resolve_many(endless())
    assert [next(answers)["symbol"] for _ in range(10)] == ["init_task"] * 10
    assert taken < 20_000


def test_questions_between_those_of_a_loop(dump):
    base = 0xFFFF000000000000
    for number, answer in enumerate(dump.resolve_many(base + 4096 * number for number in range(3000))):
        assert answer["virtual"] == base + 4096 * number
        if number % 500 == 0:
            assert dump.resolve("init_task")["symbol"] == "init_task"
        if number == 2000:
            break
    # The rest of the loop's answers goes nowhere.
    assert dump.resolve("init_task+1")["offset"] == 1


def test_threads(dump):
    wrong = []

    def ask(start):
        addresses = [0xFFFF000000000000 + start + 4096 * number for number in range(500)]
        for address, answer in zip(addresses, dump.resolve_many(addresses)):
            if answer["virtual"] != address or dump.resolve(address) != answer:
                wrong.append(address)

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_closing(machine, program):
    dump = kva.Dump(machine.path("vmcore.elf"), kva=program)
    pid = dump._process.pid
    assert is_running(pid) and not dump.closed
    dump.close()
    dump.close()
    assert dump.closed and not is_running(pid)
    assert dump._process.returncode == 0
    with pytest.raises(kva.Ended, match="closed"):
        dump.resolve("init_task")


def test_one_that_is_forgotten_ends(machine, program):
    dump = kva.Dump(machine.path("vmcore.elf"), kva=program)
    pid = dump._process.pid
    del dump
    gc.collect()
    assert not is_running(pid)


def test_closing_in_the_middle(machine, program):
    with kva.Dump(machine.path("vmcore.elf"), kva=program) as dump:
        answers = dump.resolve_many(itertools.repeat("init_task"))
        next(answers)
        process = dump._process
    assert not is_running(process.pid)
    with pytest.raises(kva.Ended):
        list(answers)


def test_a_process_that_is_killed(dump):
    os.kill(dump._process.pid, signal.SIGKILL)
    with pytest.raises(kva.Ended, match="signal 9"):
        dump.resolve("init_task")
    assert dump.closed


def test_a_fork_leaves_the_process_alone(dump):
    answers = dump.resolve_many(itertools.repeat("init_task", 5000))
    next(answers)
    child = os.fork()
    if child == 0:
        dump.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert sum(answer["symbol"] == "init_task" for answer in answers) == 4999


def test_an_interrupt_closes(dump):
    class Interrupted(BaseException):
        pass

    def handler(*_):
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(Interrupted):
            for _ in dump.resolve_many(itertools.repeat("init_task")):
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    # Where it came between two questions the next is answered as ever, else the dump is closed.
    try:
        assert dump.resolve("init_task+3")["offset"] == 3
    except kva.Ended:
        assert dump.closed
