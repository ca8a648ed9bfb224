"""May a configuration follow another without dealing a unit of a running experiment anew?"""

from pipelines.experimentation.assignment.configuration import Configuration, Experiment


def reshuffles(before: Configuration, after: Configuration) -> list[str]:
    """Every reason why `after` would move units that `before` had placed; an empty list means that it may follow.

    Raising coverage, new overrides, experiments that start or end, and slots that grow are all fine. Changed
    variants, weights or salts, lower coverage and slots that give up units are not: end the experiment and start
    another under a new key.
    """
    problems = list[str]()
    if after.namespace != before.namespace:
        return [f"namespace changed from {before.namespace} to {after.namespace}"]
    if after.version <= before.version:
        problems.append(f"version must grow, got {after.version} after {before.version}")
    following = {experiment.key: experiment for experiment in after.experiments}
    for experiment in before.experiments:
        if (successor := following.get(experiment.key)) is not None:
            problems += [
                f"experiment {experiment.key}: {reason}" for reason in _moved(experiment, successor, before, after)
            ]
    return problems


def _moved(old: Experiment, new: Experiment, before: Configuration, after: Configuration) -> list[str]:
    reasons = list[str]()
    if before.seed(old) != after.seed(new):
        reasons.append("the seed changed")
    if old.variants != new.variants:
        reasons.append("variants, their order or their weights changed")
    if new.coverage < old.coverage:
        reasons.append(f"coverage fell from {old.coverage:g} to {new.coverage:g}")
    if old.slot is None and new.slot is not None:
        reasons.append("it moved into a layer")
    if old.slot is not None and new.slot is not None:
        same_layer = (old.slot.layer, old.slot.hash_version) == (new.slot.layer, new.slot.hash_version)
        if not same_layer:
            reasons.append("its layer changed")
        elif new.slot.start > old.slot.start or new.slot.end < old.slot.end:
            reasons.append("its slot gave up units")
    if set(new.holdouts) - set(old.holdouts):
        reasons.append("a holdout was added")
    shares = {holdout.name: holdout.share for holdout in before.holdouts}
    grown = [h.name for h in after.holdouts if h.name in new.holdouts and h.share > shares.get(h.name, h.share)]
    if grown:
        reasons.append(f"holdouts {grown} grew")
    if old.targeting != new.targeting:
        reasons.append("targeting changed")
    return reasons
