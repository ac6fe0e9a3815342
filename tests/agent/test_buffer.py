import json
from datetime import timedelta

import pytest

from controller.agent import buffer
from controller.agent.buffer import Buffer
from controller.errors import Refused
from tests.probes.examples import NOON, SECOND, a_sample

SAMPLES = [a_sample(NOON + number * SECOND, location="berlin") for number in range(10)]


def filled(folder, samples=SAMPLES, **differing):
    made = Buffer(folder, **differing)
    for sample in samples:
        made.add(sample)
    return made


def times(lines):
    return [json.loads(line)["at"][17:19] for line in lines]


def brought(waiting):
    """All that waits, as a controller that takes it gets it."""
    found = []
    while batch := waiting.oldest():
        found += times(batch[1])
        waiting.done(batch[0])
    return found


ALL = [f"{number:02}" for number in range(10)]


def test_samples_come_out_in_their_order_and_once(tmp_path):
    waiting = filled(tmp_path)
    assert waiting.waiting == 10
    assert brought(waiting) == ALL
    assert (waiting.waiting, list(tmp_path.iterdir())) == (0, [])


def test_one_that_was_killed_goes_on_with_what_it_had(tmp_path):
    filled(tmp_path, SAMPLES[:6])
    assert brought(filled(tmp_path, SAMPLES[6:])) == ALL


def test_a_batch_that_was_given_out_stays_as_it_is_whoever_reads_it(tmp_path):
    first = filled(tmp_path, SAMPLES[:3])
    given = first.oldest()
    first.add(SAMPLES[3])
    assert first.oldest() == given
    assert filled(tmp_path, SAMPLES[4:]).oldest() == given


def test_what_waits_longer_than_there_is_room_is_lost_oldest_first_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(buffer, "MOST", 3)
    waiting = filled(tmp_path, room=5)
    assert waiting.lost == 6
    assert brought(waiting) == ["06", "07", "08", "09"]
    assert Buffer(tmp_path).lost == 6


def test_one_that_was_lost_while_it_was_under_way_takes_no_other_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(buffer, "MOST", 3)
    waiting = filled(tmp_path, SAMPLES[:5], room=5)
    batch, _ = waiting.oldest()
    waiting.add(SAMPLES[5])
    waiting.done(batch)
    waiting.refused(batch)
    assert brought(waiting) == ["03", "04", "05"]


def test_what_is_never_taken_is_counted_too(tmp_path):
    waiting = filled(tmp_path)
    waiting.refused(waiting.oldest()[0])
    assert (waiting.waiting, waiting.lost) == (0, 10)


def test_a_line_that_a_dead_machine_left_half_is_no_sample(tmp_path):
    filled(tmp_path)
    [file] = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-20])
    assert brought(Buffer(tmp_path)) == ALL[:9]
    file.write_bytes(b'{"probe"')
    assert Buffer(tmp_path).oldest() is None


def test_a_batch_fits_into_a_request(tmp_path):
    long = [a_sample(NOON + timedelta(seconds=number), message="ü" * 300, location="berlin") for number in range(500)]
    waiting = filled(tmp_path, long)
    while batch := waiting.oldest():
        assert sum(len(line) + 1 for line in batch[1]) < 63 * 1024
        assert len(batch[1]) <= 500
        waiting.done(batch[0])
    assert waiting.lost == 0


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot keep samples in"):
        Buffer(tmp_path / "file" / "samples")
