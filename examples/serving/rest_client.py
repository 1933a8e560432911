r"""Ask a model in TensorFlow Serving over REST: raw texts in, labels and probabilities out.

    python examples/serving/rest_client.py "a wonderful film" "dull"
    python examples/serving/rest_client.py --pair "first text" "second text"

The standard library is enough. Start the server with the exported directory as version 1:

    bertfast export CHECKPOINT models/bert/1 --format savedmodel
    docker run -p 8500:8500 -p 8501:8501 -v "$PWD/models/bert:/models/bert" \
        -e MODEL_NAME=bert tensorflow/serving
"""

import argparse
import json
import sys
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

TIMEOUT_SECONDS = 30


def main() -> int:
    """Send the texts and print a line for each; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--pair", action="store_true", help="the texts are pairs: a b a b ...")
    parser.add_argument("--url", default="http://localhost:8501/v1/models/bert")
    arguments = parser.parse_args()
    texts: list[str] = arguments.texts
    if arguments.pair and len(texts) % 2:
        parser.error("--pair needs an even number of texts")
    try:
        rows = predict(arguments.url, texts, pair=arguments.pair)
    except HTTPError as error:
        print(f"the server refused: {error.read().decode(errors='replace')}", file=sys.stderr)
        return 1
    except URLError as error:
        print(f"no server at {arguments.url}: {error.reason}", file=sys.stderr)
        return 1
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, sort_keys=True))
    return 0


def predict(url: str, texts: list[str], *, pair: bool) -> list[dict[str, Any]]:
    """Return the model's outputs for each text, or for each pair of texts.

    The row form: one object for each text, with the signature's inputs. A signature with one
    output answers with bare values, which are given under "output" here.
    """
    if pair:
        instances = [
            {"text": first, "text_pair": second}
            for first, second in zip(texts[::2], texts[1::2], strict=True)
        ]
    else:
        instances = [{"text": text} for text in texts]
    body = {"signature_name": "pair" if pair else "serving_default", "instances": instances}
    request = Request(
        f"{url}:predict", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        rows = json.load(response)["predictions"]
    return [row if isinstance(row, dict) else {"output": row} for row in rows]


if __name__ == "__main__":
    sys.exit(main())
