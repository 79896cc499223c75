import os
import sys
from types import SimpleNamespace

import pytest

from fulgurite import cli
from fulgurite.huge_pages import SWITCH


@pytest.mark.parametrize(("set_before", "seen"), [(None, "1"), ("0", "0")])
def test_a_verb_finds_the_switch_set_and_the_environment_wins(set_before, seen, monkeypatch):
    monkeypatch.setenv(SWITCH, "")  # so that the test's end restores it
    monkeypatch.delenv(SWITCH) if set_before is None else monkeypatch.setenv(SWITCH, set_before)
    found = []
    verb = SimpleNamespace(main=lambda words: found.append(os.environ[SWITCH]))
    monkeypatch.setitem(sys.modules, "a_verb", verb)
    monkeypatch.setitem(cli.VERBS, "do", cli.Verb("a_verb", ""))
    cli.main(["do"])
    assert found == [seen]
