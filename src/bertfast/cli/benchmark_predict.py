"""`bertfast benchmark predict`: from strings to embeddings, beside other runtimes."""

from collections.abc import Sequence
from pathlib import Path

import click

from bertfast.cli.measuring import (
    EXIT_WRONG_RESULTS,
    json_option,
    peers_option,
    plot_option,
    show_steps,
    threads_option,
    write_json,
)

_DEFAULT_ROUNDS = 5
_DEFAULT_TEXTS = 512
_DEFAULT_CALLS = 60


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FOLDER",
    help="Folder of Hugging Face or sentence-transformers, a bundle, or random-base for a "
    "BERT-base with random weights; may be repeated [all-MiniLM-L6-v2 as installed].",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="The folder that a bundle given as --model was exported from: others need it.",
)
@click.option(
    "--input",
    "texts_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Texts, one a line [generated ones of 7 to 192 tokens].",
)
@peers_option
@threads_option
@click.option(
    "--texts",
    "n_texts",
    type=click.IntRange(min=1),
    default=_DEFAULT_TEXTS,
    show_default=True,
    metavar="N",
    help="Texts of a pass; models larger than MiniLM take down to a quarter of them.",
)
@click.option(
    "--repeat",
    "n_rounds",
    type=click.IntRange(min=1),
    default=_DEFAULT_ROUNDS,
    show_default=True,
    metavar="N",
    help="Rounds: passes, blocks of calls with one text, and cold starts of each.",
)
@click.option(
    "--calls",
    "n_calls",
    type=click.IntRange(min=1),
    default=_DEFAULT_CALLS,
    show_default=True,
    metavar="N",
    help="Calls with one text in each round.",
)
@click.option(
    "--stream",
    "n_stream",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Also compare predict_iter over N texts with the sorted list; windows have 4,096.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where exports and conversions are kept [~/.cache/bertfast/benchmark].",
)
@json_option
@plot_option
@click.pass_context
def predict(
    context: click.Context,
    *,
    models: Sequence[str],
    source: Path | None,
    texts_path: Path | None,
    peers: str,
    threads: int,
    n_texts: int,
    n_rounds: int,
    n_calls: int,
    n_stream: int,
    cache: Path | None,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Compare bertfast with the runtimes that are installed, from strings to embeddings.

    All embeddings are compared with bertfast's before any time is shown; a runtime that gives
    others is named and not timed. Exit code 1 if bertfast itself does not run.
    """
    from bertfast.benchmark.plot import check_can_plot
    from bertfast.benchmark.predict.contest import WrongOutputsError
    from bertfast.benchmark.predict.plot import plot_report
    from bertfast.benchmark.predict.report import print_report
    from bertfast.benchmark.predict.run import DEFAULT_CACHE, Options, compare_predictors

    if plot_path:
        check_can_plot()
    options = Options(
        models=models,
        source=source,
        texts_path=texts_path,
        peers=peers,
        num_threads=threads,
        n_texts=n_texts,
        n_rounds=n_rounds,
        n_calls=n_calls,
        n_stream=n_stream,
        cache=cache or DEFAULT_CACHE,
    )
    try:
        with show_steps() as on_step:
            report = compare_predictors(options, on_step)
    except WrongOutputsError as error:
        click.echo(f"bertfast: error: {error}", err=True)
        context.exit(EXIT_WRONG_RESULTS)
    print_report(report)
    if json_path:
        write_json(report.to_dict(), json_path)
    if plot_path:
        plot_report(report, plot_path)
