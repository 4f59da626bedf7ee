"""`look` measures what a preprocessing step costs that only validation has, by undoing the step."""

from dataclasses import replace

from keras_shiftguard.callback.checks import schedule
from keras_shiftguard.callback.checks.check import Epoch, Told, costs_of
from keras_shiftguard.detection.causes import pipeline_change
from keras_shiftguard.detection.finding import source_of
from keras_shiftguard.experiments.step import cost_of_step
from keras_shiftguard.experiments.targets import are_inputs, with_own_targets


def look(state: None, epoch: Epoch) -> tuple[None, Told]:
    """Measures the costs of the findings on preprocessing that are due."""
    costs, repaired = {}, []
    for pair in schedule.due(epoch):
        judged, found = None if epoch.is_apart else epoch.judged(pair, False), {}
        for name, kept in epoch.streams["validation"].kept_together().items():
            finding = pair.findings.get(source_of(name))
            if judged is None or finding is None or finding.kind != "preprocessing":
                continue
            step = pipeline_change.explain(pair.reference.inputs[name], pair.current.inputs[name])
            if are_inputs(judged.current.images, judged.current.labels):
                repaired.append(replace(finding, fix=with_own_targets(finding.fix)))
            if step is not None:
                found[source_of(name)] = cost_of_step(
                    judged.predict, judged.current, kept.spec, step, judged.judge
                )
        costs[pair.stream, pair.against] = costs_of(pair, found)
    return None, Told(findings=tuple(repaired), costs=costs)
