"""One run: open the models, find everybody's best batch, check the outputs, then measure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bertfast.benchmark.machine import describe_machine, describe_versions
from bertfast.benchmark.peers import ALL
from bertfast.benchmark.predict.contest import Contest, Plan
from bertfast.benchmark.predict.extras import measure_stream, measure_threads
from bertfast.benchmark.predict.models import Model, open_model
from bertfast.benchmark.predict.peers import Peer, choose_peers, our_rows
from bertfast.benchmark.predict.results import Case, ModelResult, PredictReport
from bertfast.benchmark.predict.texts import (
    count_tokens,
    generate_texts,
    read_input,
    text_of_length,
)
from bertfast.benchmark.predict.work import useful_flops
from bertfast.benchmark.results import Missing

DEFAULT_CACHE = Path.home() / ".cache" / "bertfast" / "benchmark"

# The default number of texts is for MiniLM; larger models take fewer, down to this share.
_MINILM_FLOPS = 2.2e7
_LEAST_SHARE = 0.25

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is compared.

    Attributes:
        models: as in `open_model`; none takes the default one.
        source: the folder that a bundle among them was exported from.
        texts_path: a text a line; None generates them.
        peers: as in `choose_peers`.
        n_texts: texts of a pass for a model of MiniLM's size; larger ones take fewer.
        n_rounds: passes, blocks of latency calls and cold starts of each.
        n_calls: latency calls a round.
        n_stream: texts of the stream; 0 leaves it out.
        cache: folder for exports and conversions.
    """

    models: Sequence[str] = ()
    source: Path | None = None
    texts_path: Path | None = None
    peers: str = ALL
    num_threads: int = 1
    n_texts: int = 512
    n_rounds: int = 5
    n_calls: int = 60
    n_stream: int = 0
    cache: Path = DEFAULT_CACHE


def compare_predictors(options: Options, on_step: OnStep = lambda step: None) -> PredictReport:
    """Compare outputs, then times, model by model.

    Raises:
        WrongOutputsError: bertfast itself cannot be measured.
        BertfastError: an option, a file or a model cannot be used.
    """
    peers, absent = choose_peers(options.peers)
    missing = [Missing(peer.name, f"not installed; {peer.install}") for peer in absent]
    results = []
    for given in options.models or (None,):
        model = open_model(given, options.cache, on_step, source=options.source)
        results.append(_measure(model, peers, options, on_step))
    return PredictReport(
        machine=describe_machine(),
        versions=describe_versions(()) | {peer.distribution: peer.version for peer in peers},
        settings={
            "texts": options.texts_path.name if options.texts_path else "generated",
            "threads": options.num_threads,
            "rounds": options.n_rounds,
            "latency_calls": options.n_calls * options.n_rounds,
            "stream_texts": options.n_stream,
        },
        models=results,
        missing=missing,
    )


def _measure(model: Model, peers: Sequence[Peer], options: Options, on_step: OnStep) -> ModelResult:
    texts = _texts(model, options)
    lengths = count_tokens(model.tokenizer, texts, model.files.max_length)
    plan = Plan(
        files=model.files,
        texts=texts,
        lengths=lengths,
        short_text=text_of_length(texts, model.tokenizer),
        num_threads=options.num_threads,
        n_rounds=options.n_rounds,
        n_calls=options.n_calls,
        flops=useful_flops(model.config, lengths),
    )
    left_out = [peer for peer in peers if peer.needs_source and model.files.source is None]
    rows = [*our_rows(model.files), *(peer for peer in peers if peer not in left_out)]
    missing = [Missing(peer.name, "needs the model's source: --source FOLDER") for peer in left_out]
    if model.without_int8:
        missing.append(Missing("bertfast's int8 export", model.without_int8))
    with TemporaryDirectory() as folder:
        contest = Contest(plan, Path(folder), lambda step: on_step(f"{model.name}: {step}"))
        entries, peak = contest.run(rows)
        cases = _cases(contest, rows, model, options)
    quantiles = tuple(int(length) for length in _quantiles(lengths.tolist()))
    return ModelResult(
        name=model.name,
        n_texts=len(texts),
        n_tokens=int(lengths.sum()),
        lengths=quantiles,
        max_length=model.files.max_length,
        flops_per_token=plan.flops / max(1, int(lengths.sum())),
        peak_gflops=peak,
        entries=entries,
        cases=cases,
        missing=[*missing, *contest.missing],
    )


def _cases(contest: Contest, rows: Sequence[Peer], model: Model, options: Options) -> list[Case]:
    ours = [peer for peer in rows if peer.is_ours and peer in contest.chosen]
    cases = measure_threads(contest, ours)
    if options.n_stream:
        texts = _stream_texts(model, options)
        cases += measure_stream(contest, ours, texts)
    return cases


def _texts(model: Model, options: Options) -> list[str]:
    """Return texts for passes that last seconds."""
    layer = model.config.num_hidden_layers * model.config.hidden_size
    per_token = 2 * layer * (4 * model.config.hidden_size + 2 * model.config.intermediate_size)
    share = min(1.0, max(_LEAST_SHARE, _MINILM_FLOPS / max(1, per_token)))
    n_texts = max(1, round(options.n_texts * share))
    if options.texts_path is not None:
        return read_input(options.texts_path, n_texts)
    return generate_texts(n_texts, model.tokenizer)


def _stream_texts(model: Model, options: Options) -> list[str]:
    if options.texts_path is not None:
        return read_input(options.texts_path, options.n_stream)
    return generate_texts(options.n_stream, model.tokenizer)


def _quantiles(lengths: list[int]) -> list[int]:
    """Return least, lower quartile, median, upper quartile and most.

    >>> _quantiles([5, 1, 4, 2, 3])
    [1, 2, 3, 4, 5]
    """
    ordered = sorted(lengths)
    last = len(ordered) - 1
    return [ordered[last * quarter // 4] for quarter in range(5)]
