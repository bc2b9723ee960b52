from dataclasses import dataclass


@dataclass
class RunSteps:
    num_steps: int
