"""The data sets of the paper, and what its authors did with them."""

from __future__ import annotations

import dataclasses

from segkit.data.cell_simulation import A549_SIM, MDA231, TRIC, CellSimulation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """A data set of the paper (Sec. 3.3).

    Attributes:
        name: Name on the command line; never renamed.
        simulation: Stacks like those of the data set.
        instances: How cells are separated.
        windows: Squares along y and x that slices are cut into.
        paper_seg: SEG of Table 3.
    """

    name: str
    simulation: CellSimulation
    instances: str = "distance"
    windows: tuple[int, int] | None = None
    paper_seg: float | None = None


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(name="own", simulation=CellSimulation()),
        Protocol(name="a549-sim", simulation=A549_SIM, instances="components", paper_seg=0.951),
        Protocol(name="tric", simulation=TRIC, windows=(2, 3), paper_seg=0.782),
        Protocol(name="mda231", simulation=MDA231, instances="centers", paper_seg=0.646),
    )
}
