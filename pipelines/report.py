"""What a run of the spine found: one document, and the same as a table for people."""

import io

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from pipelines.metrics import Bin, Quality

WIDTH = 100


class Latency(BaseModel):
    """Of requests through InvokeEndpoint sent one after the other, from call to answer."""

    requests: int
    rows_per_request: int
    p50_ms: float
    p99_ms: float


class SpineReport(BaseModel):
    """One model, from its data to its answers."""

    environment: str
    workload: str
    about: str
    """What the rows judged are."""
    rows: int
    positive_share: float
    data_version: str
    training_job: str
    trained: bool
    """Whether the job ran just now; otherwise it was found."""
    training_seconds: float
    model_version: str
    registered: bool
    """Whether the version was registered just now."""
    model_package_arn: str | None
    endpoint: str
    released: bool
    """Whether the endpoint was made or changed just now."""
    tracking_uri: str
    quality: dict[str, Quality]
    """By model: `model` is what the endpoint answered, the others are baselines on the same rows."""
    calibration: list[Bin]
    """Of the endpoint's answers."""
    largest_difference: float
    """Between what the endpoint answered and what the model said of the same rows when it was trained."""
    latency: list[Latency]
    """By batch size."""

    def render(self) -> str:
        """The report as text, at most 100 characters wide."""
        console = Console(file=io.StringIO(), width=WIDTH, highlight=False, color_system=None)
        with console.capture() as captured:
            for line in self._head():
                console.print(line, markup=False)
            console.print(self._models())
            console.print(self._bins())
            for line in self._foot():
                console.print(line, markup=False)
        return captured.get()

    def _head(self) -> list[str]:
        trained = f"trained in {self.training_seconds:.0f} s" if self.trained else "found, not trained again"
        registered = "registered now" if self.registered else "registered before"
        released = "released now" if self.released else "already serving"
        return [
            f"{self.workload} on {self.environment}",
            f"  data      version {self.data_version}",
            f"  training  {self.training_job}: {trained}",
            f"  registry  {self.workload} version {self.model_version}: {registered}; {self.tracking_uri}",
            f"  serving   {self.endpoint}: {released}",
            "",
            f"{self.about}: {self.positive_share:.1%} positive",
        ]

    def _models(self) -> Table:
        table = Table("", "ROC AUC", "average precision", "Brier score", "calibration error", box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, each in self.quality.items():
            title = "endpoint" if name == "model" else name.replace("_", " ")
            cells = (each.roc_auc, each.average_precision, each.brier, each.calibration_error)
            table.add_row(title, *(f"{cell:.3f}" for cell in cells))
        return table

    def _bins(self) -> Table:
        table = Table("calibration", *(str(at) for at in range(1, len(self.calibration) + 1)), box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        table.add_row("mean score", *(f"{each.score:.2f}" for each in self.calibration))
        table.add_row("observed", *(f"{each.observed:.2f}" for each in self.calibration))
        return table

    def _foot(self) -> list[str]:
        return [
            *(
                f"latency of {each.requests} requests of {each.rows_per_request}: "
                f"p50 {each.p50_ms:.1f} ms, p99 {each.p99_ms:.1f} ms"
                for each in self.latency
            ),
            f"largest difference between served and trained scores: {self.largest_difference:.1e}",
        ]
