"""The arena itself: a trial that fails takes no other with it."""

import signal

import pytest

from tasks_app.tests.faults.conftest import Arenas
from testing.arena import kill


@pytest.mark.long
def test_after_a_trial_that_fails_the_next_begins_with_a_sound_arena(arenas: Arenas) -> None:
    hurt = arenas.sound()
    with pytest.raises(RuntimeError, match="midway"), hurt.trial("A test fails midway"):
        kill(*hurt.first.process.descendants(), signum=signal.SIGSTOP)
        hurt.rabbit.change_password("another")
        hurt.rabbit.pause()
        hurt.postgres.kill()
        raise RuntimeError("midway")

    sound = arenas.sound()
    assert sound is not hurt
    with sound.trial("After a test that failed"):
        pass
    assert arenas.sound() is sound
