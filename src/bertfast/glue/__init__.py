"""Classification tasks: examples, processors, features and metrics, without TensorFlow."""

from bertfast.glue.examples import InputExample as InputExample
from bertfast.glue.examples import InputFeatures as InputFeatures
from bertfast.glue.examples import PaddingInputExample as PaddingInputExample
from bertfast.glue.processors import PROCESSORS as PROCESSORS
from bertfast.glue.processors import DataProcessor as DataProcessor
from bertfast.glue.processors import make_processor as make_processor
