"""`mlp experiment`."""

from pathlib import Path
from typing import Any, cast

import click
import httpx

from cli._display import print_json
from pipelines.experimentation.decision.declaration import load
from pipelines.experimentation.errors import ExperimentError

EXAMPLE = Path(__file__).resolve().parents[1] / "pipelines" / "experimentation" / "report" / "declaration.yaml"

url_option = click.option(
    "--url", envvar="MLP_EXPERIMENT_URL", required=True, help="Address of the service; or MLP_EXPERIMENT_URL."
)
token_option = click.option(
    "--token", envvar="MLP_EXPERIMENT_TOKEN", required=True, help="Bearer token; better in MLP_EXPERIMENT_TOKEN."
)


@click.group()
def command() -> None:
    """Experiments: declare, start, look, approve, decide, report.

    A failure is said in one sentence, exit 1.
    """


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def new(file: Path) -> None:
    """Write an example declaration to FILE, to be edited; or check FILE if it is there."""
    if not file.exists():
        file.write_text(EXAMPLE.read_text())
        click.echo(f"{file}: edit it, then check it with the same command", err=True)
        return
    try:
        declaration = load(file)
    except ExperimentError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"{declaration.name}: a {declaration.design.kind} experiment, digest {declaration.digest()[:12]}", err=True
    )


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--endpoint", help="Of a canary: the SageMaker endpoint whose weights its plan moves.")
@click.option(
    "--variant",
    "variants",
    multiple=True,
    metavar="DECLARED=PRODUCTION",
    help="Production variant of a declared one that is called otherwise on the endpoint.",
)
@url_option
@token_option
def start(file: Path, *, endpoint: str | None, variants: tuple[str, ...], url: str, token: str) -> None:
    """Declare the experiment of FILE and start it; from then on the declaration is frozen.

    A canary takes its first step within seconds, and every other by its plan.
    """
    try:
        declaration = load(file)
    except ExperimentError as error:
        raise click.ClickException(str(error)) from None
    how = _serving(endpoint, variants)
    path = f"/v1/experiments/{declaration.name}"
    document = declaration.model_dump(mode="json")
    _call(url, token, "PUT", path, json=document, headers=_precondition(url, token, path))
    print_json(_call(url, token, "POST", f"{path}/start", json=how).json())


def _precondition(url: str, token: str, path: str) -> dict[str, str]:
    """That the declaration replaces the one there is, or that there is none."""
    found = _request(url, token, "GET", path)
    return {"If-Match": found.headers["ETag"]} if found.is_success else {"If-None-Match": "*"}


def _serving(endpoint: str | None, variants: tuple[str, ...]) -> dict[str, Any]:
    if endpoint is None:
        if variants:
            raise click.UsageError("--variant names production variants of an endpoint; give --endpoint too")
        return {}
    names = dict[str, str]()
    for text in variants:
        declared, equals, production = text.partition("=")
        if not equals or not declared or not production:
            raise click.BadParameter(f"must be DECLARED=PRODUCTION, got {text!r}", param_hint="--variant")
        names[declared] = production
    return {"serving": {"endpoint": endpoint, "variants": names}}


@command.command()
@click.argument("name", required=False)
@url_option
@token_option
def status(name: str | None, url: str, token: str) -> None:
    """Where NAME stands, or every experiment's state."""
    found: dict[str, Any] = _call(url, token, "GET", f"/v1/experiments/{name}" if name else "/v1/experiments").json()
    print_json({key: value for key, value in found.items() if key != "experiment"})


@command.command()
@click.argument("name")
@click.option("--look", is_flag=True, help="Take the next look; looks spend the design's error.")
@click.option("--approve", metavar="DIGEST", help="Approve the verdict of the record with this digest.")
@click.option("--close", is_flag=True, help="Close the experiment on its verdict.")
@click.option("--roll-back", "roll_back", metavar="REASON", help="End a canary: all traffic to the control, for good.")
@click.option("--resume", metavar="REASON", help="Let a canary go on that stopped since somebody else set its weights.")
@url_option
@token_option
def decide(
    name: str,
    *,
    look: bool,
    approve: str | None,
    close: bool,
    roll_back: str | None,
    resume: str | None,
    url: str,
    token: str,
) -> None:
    """Look at NAME, approve its verdict, close it, end its canary or let it go on; one of them at a time."""
    chosen: dict[str, dict[str, str]] = {}
    if look:
        chosen["looks"] = {}
    if close:
        chosen["decision"] = {}
    if approve is not None:
        chosen["approvals"] = {"record_digest": approve}
    if roll_back is not None:
        chosen["rollback"] = {"reason": roll_back}
    if resume is not None:
        chosen["resume"] = {"reason": resume}
    if len(chosen) != 1:
        raise click.UsageError("give one of --look, --approve DIGEST, --close, --roll-back REASON and --resume REASON")
    ((what, body),) = chosen.items()
    more = {"json": body} if body else {}
    print_json(_call(url, token, "POST", f"/v1/experiments/{name}/{what}", **more).json())


@command.command()
@click.argument("name")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File; NAME.html if not given.")
@url_option
@token_option
def report(name: str, output: Path | None, url: str, token: str) -> None:
    """Write the report of NAME as one web page."""
    page = _call(url, token, "GET", f"/v1/experiments/{name}/report")
    target = output or Path(f"{name}.html")
    target.write_text(page.text)
    click.echo(str(target))


def _call(url: str, token: str, method: str, path: str, **more: Any) -> httpx.Response:
    answer = _request(url, token, method, path, **more)
    if not answer.is_success:
        raise click.ClickException(_problem(answer))
    return answer


def _request(url: str, token: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    try:
        return httpx.request(method, url.rstrip("/") + path, headers=headers, timeout=120, **more)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise click.ClickException(f"{url} does not answer: {error}; is it the service's address?") from None


def _problem(answer: httpx.Response) -> str:
    """What the service's problem document says."""
    try:
        found: object = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return f"{answer.url} answered {answer.status_code}, and not as the service does"
    problem = cast("dict[str, Any]", found)
    lines = [str(problem.get("detail", answer.reason_phrase))]
    lines += [f"{error.get('pointer', '')}: {error.get('detail', '')}" for error in problem.get("errors", [])]
    return "\n  ".join([*lines, *problem.get("reasons", [])])
