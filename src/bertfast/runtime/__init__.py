"""Run an exported model: sessions, batch planning and the Predictor."""

from bertfast.runtime.predictor import Predictor as Predictor
from bertfast.runtime.predictor import WindowPrediction as WindowPrediction
