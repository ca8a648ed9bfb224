from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.addresses import subnet_blocks


@given(st.integers(0, 2**16 - 1), st.integers(16, 26), st.integers(1, 4))
def test_blocks_are_equal_disjoint_and_inside(high: int, prefix: int, zones: int) -> None:
    vpc = IPv4Network((high << 16, prefix))
    blocks = [IPv4Network(block) for block in subnet_blocks(str(vpc), zones)]
    assert len(blocks) == zones
    assert all(block.subnet_of(vpc) for block in blocks)
    assert not any(first.overlaps(second) for first, second in combinations(blocks, 2))
    assert len({block.prefixlen for block in blocks}) == 1


@given(st.integers(16, 26))
def test_a_zone_added_later_moves_no_subnet(prefix: int) -> None:
    vpc = f"10.0.0.0/{prefix}"
    assert subnet_blocks(vpc, 3)[:2] == subnet_blocks(vpc, 2)


@pytest.mark.parametrize(("block", "zones"), [("10.0.0.0/27", 2), ("10.0.0.0/26", 5)])
def test_a_block_too_small_is_refused_with_one_that_is_not(block: str, zones: int) -> None:
    with pytest.raises(ValueError, match=rf"{block} is too small for {zones} subnets .* use a block of /2\d or larger"):
        subnet_blocks(block, zones)


def test_no_zones_need_no_subnets() -> None:
    assert subnet_blocks("10.0.0.0/16", 0) == []
