"""Who writes a run: machine, container, process and clone, of which host names tell nothing."""

import shutil

from autoencoders.tracking import clone


def test_a_clone_keeps_its_name_also_where_it_is_moved(store_root, tmp_path_factory, monkeypatch):
    name = clone.clone()
    assert clone.clone() == name
    moved = tmp_path_factory.mktemp("moved") / "there"
    shutil.move(store_root, moved)
    monkeypatch.setenv("DVC_ROOT", str(moved))
    assert clone.clone() == name


def test_a_copy_of_a_clone_is_another_one(store_root, tmp_path_factory, monkeypatch):
    name = clone.clone()
    copied = tmp_path_factory.mktemp("copied") / "there"
    shutil.copytree(store_root, copied)
    monkeypatch.setenv("DVC_ROOT", str(copied))
    other = clone.clone()
    assert other != name
    assert clone.clone() == other
    monkeypatch.setenv("DVC_ROOT", str(store_root))
    assert clone.clone() == name


def test_this_process_lives_and_is_no_other(store_root):
    tags = clone.process()
    assert not clone.is_gone(tags)
    assert clone.is_gone({**tags, "process_started": str(float(tags["process_started"]) - 1000)})


def test_a_process_of_another_machine_container_or_clone_is_not_judged(store_root):
    tags = {**clone.process(), "process_started": "1.0"}
    assert clone.is_gone(tags)
    assert not clone.is_gone({**tags, "machine": "m"})
    assert not clone.is_gone({**tags, "clone": "c"})
    assert not clone.is_gone({"host": tags["host"], "pid": "1"})  # a run of an earlier version
