from dataclasses import dataclass


@dataclass
class Loihi1SimCfg:
    select_tag: str


class Loihi2SimCfg(Loihi1SimCfg):
    pass
