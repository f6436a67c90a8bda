"""Whatever a device sends, well-formed or not: the verdict through the proxy is the broker's own, or the stricter one of the
specification, where the row says which statement that is. Of what is malformed nothing reaches the broker. Nobody else notices."""

import pytest

import rows_connect
import rows_publish
import rows_rest
import rows_subscribe
import wire
from hostile import IS_STRICT, Behind, World, as_bytes, cases

LIVE = rows_publish.ROWS + rows_subscribe.ROWS + rows_rest.ROWS


@pytest.fixture(scope="session")
def worlds():
    """Both routes, for all rows of one test process: what one row does may not matter to another."""
    both = [World("direct"), World("proxied")]
    yield both
    for world in both:
        world.close()


@pytest.fixture(scope="session")
def behind():
    one = Behind()
    yield one
    one.close()


def compare(row, direct, proxied):
    """Equal; or the proxy closes what Mosquitto lets pass, and the row says why it may; or only its goodbye is the specification's."""
    if not IS_STRICT:
        assert proxied == direct
        return
    assert proxied["end"] == row.end, (direct, proxied)
    if proxied == direct:
        assert not row.stricter, ("Mosquitto is as strict", direct)
        return
    assert row.kind != "legal", (direct, proxied)
    if row.stricter:
        assert proxied["end"] == "closed", (direct, proxied)
    else:
        assert [direct["end"], direct["answers"]] == [proxied["end"], proxied["answers"]], ("by which statement?", direct, proxied)
    assert proxied["goodbye"] in (row.reason, direct["goodbye"]), (direct, proxied)


def try_on(worlds, record_stage, row, verdict):
    """Both verdicts compared, and the others asked how they are."""
    for world in worlds:
        record_stage(world)
    compare(row, *[verdict(world) for world in worlds])
    for world in worlds:
        world.all_is_well()


@pytest.mark.parametrize(**cases(rows_connect.ROWS))
def test_first_packet(worlds, record_stage, row, version):
    """What a device sends first."""
    try_on(worlds, record_stage, row, lambda world: world.verdict_of_opening(row, version))


@pytest.mark.parametrize(**cases(LIVE))
def test_packet(worlds, record_stage, row, version):
    """What a device sends on a live connection. Its will is published, whatever ended it."""
    try_on(worlds, record_stage, row, lambda world: world.verdict_of(row, version))


@pytest.mark.parametrize(**cases(LIVE))
def test_packet_right_behind_connect(worlds, record_stage, row, version):
    """The same in one segment with CONNECT, before there is a CONNACK."""
    try_on(worlds, record_stage, row, lambda world: world.verdict_behind_connect(row, version))


def malformed(rows):
    return cases(row for row in rows if row.kind == "malformed")


STRICT = pytest.mark.skipif(not IS_STRICT, reason="a stand-in that only carries bytes carries these too")


@STRICT
@pytest.mark.parametrize(**malformed(rows_connect.ROWS))
def test_a_malformed_first_packet_reaches_nobody(behind, record_stage, row, version):
    """The broker is not spoken to."""
    record_stage(behind)
    assert behind.arrived_of_opening(row, version) == []


@STRICT
@pytest.mark.parametrize(**malformed(LIVE))
def test_a_malformed_packet_reaches_nobody(behind, record_stage, row, version):
    """What came before it arrives; of it, and behind it, nothing does."""
    record_stage(behind)
    before = wire.frames(bytearray(as_bytes(row.before, version)))
    assert behind.arrived(row, version) == before


@pytest.fixture(scope="session")
def across():
    """Brokers of another version than the device's, by the device's."""
    fives, fours = Behind(5), Behind(4)
    yield {3: fives, 4: fives, 5: fours}
    fives.close()
    fours.close()


@STRICT
@pytest.mark.parametrize(**malformed(LIVE))
def test_a_malformed_packet_reaches_nobody_in_another_version(across, record_stage, row, version):
    """The same where packets are written anew."""
    record_stage(across[version])
    assert len(across[version].arrived(row, version)) == len(wire.frames(bytearray(as_bytes(row.before, version))))
