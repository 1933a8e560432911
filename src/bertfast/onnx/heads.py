"""Which outputs a source can give, which are its default, and what its labels are called."""

from collections.abc import Mapping, Sequence

from bertfast.checkpoint.dtypes import Array
from bertfast.errors import CheckpointError, ExportError
from bertfast.onnx.graph import CLASSIFIER_OUTPUTS, OUTPUTS, POOLER_OUTPUTS
from bertfast.onnx.source import Source

_SEQUENCE_CLASSIFIER = "BertForSequenceClassification"


def choose_outputs(
    given: Sequence[str] | None, source: Source, variables: Mapping[str, Array]
) -> tuple[str, ...]:
    """Return the graph's outputs, the default one first.

    Unless the caller chooses: a sentence-transformers folder gives mean_embedding, a
    classifier probabilities and logits (a single score or several labels at once: logits),
    anything else pooled_output.

    Raises:
        ExportError: an unknown output, or one that the source cannot give.
    """
    if given is None:
        given = _default_outputs(source, variables)
    if not given:
        raise ExportError(f"no outputs were chosen; choose from {', '.join(OUTPUTS)}")
    for name in given:
        if name not in OUTPUTS:
            raise ExportError(f"unknown output {name!r}; choose from {', '.join(OUTPUTS)}")
    if len(set(given)) != len(given):
        raise ExportError(f"an output is chosen twice: {', '.join(given)}")
    from_pooler = [name for name in given if name in POOLER_OUTPUTS]
    if from_pooler and not has_pooler(variables):
        raise ExportError(
            f"the checkpoint has no bert/pooler, so it cannot give {', '.join(from_pooler)}; "
            "choose mean_embedding or sequence_output"
        )
    if CLASSIFIER_OUTPUTS & set(given):
        _check_classifier(source, variables)
    if "probabilities" in given and _is_multi_label(source):
        raise ExportError(
            "the model gives several labels at once (problem_type "
            "multi_label_classification), so softmax is wrong; choose logits"
        )
    return tuple(given)


def name_labels(
    given: Sequence[str] | None,
    outputs: Sequence[str],
    source: Source,
    variables: Mapping[str, Array],
) -> tuple[str, ...] | None:
    """Return a name for each column of logits; None without a classifier.

    From the caller, else id2label in Hugging Face's config.json, else LABEL_0, LABEL_1, ...

    Raises:
        ExportError: labels without a classifier, or not as many as output_weights has rows.
    """
    if not CLASSIFIER_OUTPUTS & set(outputs):
        if given is not None:
            raise ExportError(f"labels were given, but the outputs are {', '.join(outputs)}")
        return None
    n_labels = len(variables["output_bias"])
    if given is None:
        named = source.raw_config.get("id2label")
        defaults = [f"LABEL_{n}" for n in range(n_labels)]
        if not isinstance(named, dict):
            return tuple(defaults)
        names = [str(named.get(str(n), defaults[n])) for n in range(n_labels)]
        return tuple(names if len(set(names)) == n_labels else defaults)
    if len(given) != n_labels:
        raise ExportError(f"{len(given)} labels were given, but output_weights has {n_labels} rows")
    if len(set(given)) != n_labels or not all(given):
        raise ExportError(f"labels must be distinct and not empty, got {', '.join(given)}")
    return tuple(given)


def has_pooler(variables: Mapping[str, Array]) -> bool:
    """Tell whether the checkpoint has the pooler, which some were saved without."""
    return any(name.startswith("bert/pooler/") for name in variables)


def _default_outputs(source: Source, variables: Mapping[str, Array]) -> Sequence[str]:
    library = source.sentence_transformer
    if library:
        if library.obstacle:
            raise ExportError(
                f"mean_embedding is not what this sentence-transformers model gives: "
                f"{library.obstacle}; choose --output yourself to export it all the same"
            )
        return ("mean_embedding",)
    if "output_weights" in variables and _is_sequence_classifier(source):
        single = len(variables["output_weights"]) == 1  # a score: its softmax is always 1
        return ("logits",) if single or _is_multi_label(source) else ("probabilities", "logits")
    return ("pooled_output",)


def _check_classifier(source: Source, variables: Mapping[str, Array]) -> None:
    """Check that output_weights [labels, hidden] and output_bias [labels] are there and fit."""
    if not _is_sequence_classifier(source):
        kinds = ", ".join(map(str, _architectures(source)))
        raise ExportError(f"the model is a {kinds}, whose classifier is not for whole sequences")
    for name in ("output_weights", "output_bias"):
        if name not in variables:
            raise CheckpointError(f"the checkpoint lacks {name}, which logits need")
    weights, bias = variables["output_weights"].shape, variables["output_bias"].shape
    hidden = source.config.hidden_size
    if len(weights) != 2 or weights[1] != hidden or bias != weights[:1]:
        raise CheckpointError(
            f"output_weights has shape {list(weights)} and output_bias {list(bias)}; "
            f"expected [labels, {hidden}] and [labels]"
        )


def _architectures(source: Source) -> Sequence[object]:
    named = source.raw_config.get("architectures")
    return named if isinstance(named, list) else []


def _is_sequence_classifier(source: Source) -> bool:
    """Hugging Face calls the token classifier's weights the same; its config tells them apart."""
    architectures = _architectures(source)
    return not architectures or _SEQUENCE_CLASSIFIER in architectures


def _is_multi_label(source: Source) -> bool:
    return source.raw_config.get("problem_type") == "multi_label_classification"
