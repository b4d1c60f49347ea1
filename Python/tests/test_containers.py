"""Lists and trees that are walked as far as they are asked for."""

import itertools

import kva
import pytest

CONTAINERS = [
    ("list", "task_struct.tasks", "init_task.tasks"),
    ("tree", "rbtree", "vmap_area.rb_node", "vmap_area_root"),
    ("tree", "idr", "pid", "init_pid_ns.idr"),
]


def walk(dump, command, *arguments, **options):
    return (dump.iter_list if command == "list" else dump.iter_tree)(*arguments, **options)


@pytest.mark.parametrize("command, arguments", [(one[0], one[1:]) for one in CONTAINERS])
def test_the_elements_are_those_of_the_whole(dump, command, arguments):
    whole = getattr(dump, command)(*arguments)
    assert len(whole) > 20
    assert list(walk(dump, command, *arguments)) == whole


def test_members_are_printed(dump):
    wanted = dump.list("task_struct.tasks", "init_task.tasks", print="pid,comm")
    assert list(dump.iter_list("task_struct.tasks", "init_task.tasks", print="pid,comm")) == wanted
    assert wanted[0]["values"] == {"pid": 1, "comm": "init"}


@pytest.mark.parametrize("wanted", [1, 5, 20])
def test_to_stop_early_costs_what_was_asked_for(dump, monkeypatch, wanted):
    looked_up = []
    ask = dump.ask

    def counting(command, *arguments, **options):
        answer = ask(command, *arguments, **options)
        looked_up.append(len(answer.results))
        return answer

    monkeypatch.setattr(dump, "ask", counting)
    elements = dump.iter_list("task_struct.tasks", "init_task.tasks")
    assert not looked_up
    assert len(list(itertools.islice(elements, wanted))) == wanted
    assert wanted <= sum(looked_up) <= 2 * wanted


def test_two_walks_do_not_disturb_each_other(dump):
    one = dump.iter_list("task_struct.tasks", "init_task.tasks")
    other = dump.iter_list("task_struct.tasks", "init_task.tasks")
    pairs = list(itertools.zip_longest(one, other))
    assert len(pairs) > 20 and all(first == second for first, second in pairs)


def test_what_is_broken_says_so(dump):
    with pytest.raises(kva.NotFound):
        next(dump.iter_list("task_struct.nothing", "init_task.tasks"))
    with pytest.warns(kva.Incomplete):
        assert list(dump.iter_list("module.list", 0xFFFF_7FFF_FFFF_F000))[-1]["end"] == "broken"
