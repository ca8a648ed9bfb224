"""One configuration with every feature that GrowthBook's SDKs share, and the units it is tried on."""

from datetime import UTC, datetime

from pipelines.experimentation.assignment import Configuration, Experiment, Holdout, Slot, Variant
from pipelines.experimentation.assignment.conditions import All, AtLeastVersion, Compare, Not, OneOf

HALVES = (Variant(name="control", weight=0.5), Variant(name="treatment", weight=0.5))
THIRDS = (Variant(name="a", weight=0.1), Variant(name="b", weight=0.2), Variant(name="c", weight=0.7))

CONFIGURATION = Configuration(
    namespace="shop",
    version=7,
    issued_at=datetime(2026, 1, 1, tzinfo=UTC),
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    override_salt="salt",
    holdouts=(Holdout(name="global", share=0.1),),
    experiments=(
        Experiment(key="plain", variants=HALVES),
        Experiment(key="seeded", seed="another-salt", variants=THIRDS),
        Experiment(key="ramped", variants=THIRDS, coverage=0.3),
        Experiment(key="first", variants=HALVES, slot=Slot(layer="checkout", start=0.0, end=0.4)),
        Experiment(key="second", variants=THIRDS, slot=Slot(layer="checkout", start=0.4, end=1.0)),
        Experiment(key="older", variants=HALVES, slot=Slot(layer="legacy", start=0.25, end=0.5, hash_version=1)),
        Experiment(key="held", variants=HALVES, holdouts=("global",), coverage=0.9),
        Experiment(
            key="targeted",
            variants=HALVES,
            targeting=All(
                conditions=(
                    OneOf(attribute="country", values=("NL", "BE")),
                    Compare(attribute="orders", operator="gte", value=3),
                    AtLeastVersion(attribute="app", version="4.2"),
                    Not(condition=OneOf(attribute="staff", values=(True,))),
                )
            ),
        ),
        *(
            Experiment(
                key=f"from-{version}", variants=HALVES, targeting=AtLeastVersion(attribute="build", version=version)
            )
            for version in ("0", "4.2.0", "4.2.1", "4.2.1.3")
        ),
        Experiment(key="one-or-gold", variants=HALVES, targeting=OneOf(attribute="tier", values=(1, "gold"))),
        Experiment(key="true", variants=HALVES, targeting=OneOf(attribute="tier", values=(True,))),
        Experiment(key="below-one", variants=HALVES, targeting=Compare(attribute="tier", operator="lt", value=1)),
    ),
)
BUILDS: tuple[str | float | bool, ...] = (
    *("4.2.1", "4.2.1.0", "4.2.1.2", "4.2.1.5", "4.2.0.9", "4.2", "4.2.0", "5", "4", "4.10.0", "0", "0.0.0"),
    *("4.2.1-beta", "v4.2.1", "04.3", "4.2.1\n", "123456.1", "new", "", ".", "٤.٣", 4.2, 5, True),
)
TIERS: tuple[str | float | bool, ...] = (1, True, "1", 1.0, 0, False, "0", "gold", "Gold", "", -0.5)


def units() -> list[tuple[str, dict[str, str | float | bool]]]:
    """Identifiers of several shapes, with attributes that fall on both sides of every condition."""
    names = [f"user-{i}" for i in range(150)] + [str(i * 7919) for i in range(100)]
    names += [f"{i:08x}-5f3a-4c1e-9d2b-{i * 104729:012x}" for i in range(100)] + [
        "zoë",
        "Ωmega-7",
        "ключ",
        "用户42",
        "😀-1",
    ]
    return [
        (
            name,
            {
                "country": ("NL", "BE", "DE")[i % 3],
                "orders": i % 5,
                "app": ("4.1.9", "4.2.0", "4.10")[i % 3 - 1],
                "staff": i % 11 == 0,
                # Every eleventh or so goes without.
                **({"build": BUILDS[i % len(BUILDS)]} if i % 13 else {}),
                **({"tier": TIERS[i % len(TIERS)]} if i % 7 else {}),
            },
        )
        for i, name in enumerate(names)
    ]
