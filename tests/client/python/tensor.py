"""What of torch's tensors is looked at, without torch."""

import numpy as np


class Tensor:
    def __init__(self, values):
        self._values = np.asarray(values, dtype=np.float32)

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self._values
