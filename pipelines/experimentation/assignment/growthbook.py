"""A configuration as GrowthBook experiments, so that its SDKs in other languages place every unit alike."""

from pipelines.experimentation.assignment.configuration import Configuration, Experiment


def growthbook_experiment(configuration: Configuration, experiment: Experiment) -> dict[str, object]:
    """The experiment in the JSON form of GrowthBook's inline experiments, hashing the attribute `id`.

    Overrides are left out: they are digests, which SDKs cannot compare with.
    """
    document: dict[str, object] = {
        "key": experiment.key,
        "seed": configuration.seed(experiment),
        "hashVersion": 2,
        "hashAttribute": "id",
        "variations": [variant.name for variant in experiment.variants],
        "weights": [variant.weight for variant in experiment.variants],
        "coverage": experiment.coverage,
    }
    if experiment.targeting:
        document["condition"] = experiment.targeting.growthbook()
    shares = {holdout.name: holdout.share for holdout in configuration.holdouts}
    filters = [_filter(configuration.holdout_seed(name), shares[name], 1.0, 2) for name in experiment.holdouts]
    if slot := experiment.slot:
        filters.append(_filter(configuration.layer_seed(slot), slot.start, slot.end, slot.hash_version))
    if filters:
        document["filters"] = filters
    return document


def _filter(seed: str, start: float, end: float, version: int) -> dict[str, object]:
    return {"seed": seed, "ranges": [[start, end]], "hashVersion": version, "attribute": "id"}
