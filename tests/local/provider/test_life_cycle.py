"""Every type through its whole life: nothing is seen that is not there, and nothing that is there is missed."""

import pytest

from infra.local.provider.table import TABLE
from infra.local.provider.values import plain_map

from .examples import EXAMPLES
from .stack import Stack

pytestmark = pytest.mark.local


def test_every_type_has_an_example() -> None:
    assert EXAMPLES.keys() == TABLE.keys()


@pytest.mark.parametrize("token", EXAMPLES)
def test_life_cycle(stack: Stack, token: str) -> None:
    example = EXAMPLES[token]
    inputs = example.inputs(stack)

    made = stack.create(token, "example", inputs)
    read = stack.refresh(made)
    assert read is not None
    assert plain_map(read.inputs) == plain_map(made.inputs), "a clean resource shows no drift"
    assert read.outputs == made.outputs
    clean = stack.diff(read, inputs)
    assert not clean.changes, clean.diffs

    again = stack.create(token, "example", inputs)
    assert again.id == made.id, "an interrupted create is adopted"
    assert again.outputs == made.outputs

    if example.drift is not None:
        example.drift(stack, made)
        drifted = stack.refresh(made)
        if example.drifted:
            assert drifted is not None
            found = stack.diff(drifted, inputs)
            assert example.drifted in found.detailed_diff, sorted(found.detailed_diff)
            stack.update(drifted, inputs)
        elif drifted is None:
            made = stack.create(token, "example", inputs)
        mended = stack.refresh(made)
        assert mended is not None
        assert not stack.diff(mended, inputs).diffs, "what was changed behind its back is mended"

    if example.change is not None:
        wanted = {**inputs, **example.change}
        found = stack.diff(made, wanted)
        assert set(found.diffs) == set(example.change)
        assert not found.replaces
        updated = stack.update(made, wanted)
        settled = stack.refresh(updated)
        assert settled is not None
        assert not stack.diff(settled, wanted).changes
        assert plain_map(settled.inputs) == plain_map(updated.inputs)
        made = updated

    stack.delete(made)
    if not example.remains:
        assert stack.refresh(made) is None
    stack.delete(made)
