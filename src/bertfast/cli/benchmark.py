"""`bertfast benchmark`: measure speed against other tokenizers on this machine."""

from collections.abc import Sequence
from pathlib import Path

import click

from bertfast.cli.benchmark_predict import predict
from bertfast.cli.measuring import (
    EXIT_WRONG_RESULTS,
    json_option,
    peers_option,
    plot_option,
    show_steps,
    threads_option,
    write_json,
)

_EXIT_BAD_INPUT = 2
_DEFAULT_ROUNDS = 5


@click.group(invoke_without_command=True)
@click.pass_context
def benchmark(context: click.Context) -> None:
    """Measure speed against others on this machine, results checked first."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(_EXIT_BAD_INPUT)


@benchmark.command()
@click.option(
    "--vocab",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Vocabulary, one token a line [derived from the corpora].",
)
@click.option("--cased", is_flag=True, help="Do not lower the texts: for cased vocabularies.")
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    metavar="FILE",
    help="Texts, one a line; may be repeated. NAME=FILE,FILE,... mixes files line by line "
    "[four generated corpora of 0.5 MB].",
)
@peers_option
@threads_option
@click.option(
    "--repeat",
    "n_rounds",
    type=click.IntRange(min=1),
    default=_DEFAULT_ROUNDS,
    show_default=True,
    metavar="N",
    help="Rounds of warm passes; half as many fresh processes measure each first pass.",
)
@json_option
@plot_option
@click.pass_context
def tokenize(
    context: click.Context,
    *,
    vocab: Path | None,
    cased: bool,
    corpora: Sequence[str],
    peers: str,
    threads: int,
    n_rounds: int,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Compare bertfast with the tokenizers that are installed.

    All ids are compared with the reference's before any time is shown. Exit code 1 if
    bertfast's differ anywhere.
    """
    from bertfast.benchmark.plot import check_can_plot, plot_report
    from bertfast.benchmark.report import print_report
    from bertfast.benchmark.run import Options, WrongIdsError, compare_tokenizers

    if plot_path:
        check_can_plot()
    options = Options(vocab, not cased, corpora, peers, threads, n_rounds)
    try:
        with show_steps() as on_step:
            report = compare_tokenizers(options, on_step)
    except WrongIdsError as error:
        click.echo(f"bertfast: error: {error}", err=True)
        context.exit(EXIT_WRONG_RESULTS)
    print_report(report)
    if json_path:
        write_json(report.to_dict(), json_path)
    if plot_path:
        plot_report(report, plot_path)


benchmark.add_command(predict)
