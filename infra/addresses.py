"""Address plan of a VPC: equal private subnets, one per zone."""

from ipaddress import IPv4Network

_SMALLEST = 28  # prefix length AWS allows for a VPC and a subnet: /16 to /28


def subnet_blocks(vpc_block: str, zones: int) -> list[str]:
    """One block per zone, equal, disjoint, in order, inside `vpc_block`.

    The plan always divides the VPC in four (or more, for more than four zones), so a third zone added later leaves the
    first two where they are. Raises ValueError when the blocks would be smaller than /28, AWS's smallest subnet.
    """
    network = IPv4Network(vpc_block)
    if not zones:
        return []
    extra = max(2, (zones - 1).bit_length())
    prefix = network.prefixlen + extra
    if prefix > _SMALLEST:
        raise ValueError(
            f"{vpc_block} is too small for {zones} subnets of /{_SMALLEST} or larger; "
            f"use a block of /{_SMALLEST - extra} or larger"
        )
    blocks = network.subnets(new_prefix=prefix)
    return [str(next(blocks)) for _ in range(zones)]
