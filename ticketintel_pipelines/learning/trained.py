"""A trained model: what it learned, and the calibration that makes a probability of its output."""

from dataclasses import dataclass, field

from ticketintel_pipelines.learning.calibration import Beta
from ticketintel_pipelines.learning.estimators import Fitted
from ticketintel_pipelines.learning.examples import Features, Floats


@dataclass(frozen=True)
class Trained:
    """What scores rows; `names` are the features, in the order of the columns of what it is given."""

    estimator: str
    names: tuple[str, ...]
    fitted: Fitted
    calibration: Beta = field(default_factory=Beta)

    def probabilities(self, features: Features) -> Floats:
        """Calibrated probabilities (n,) of features (n, m)."""
        return self.calibration.apply(self.fitted.predict(features))
