"""Small runs of the real thing."""

from __future__ import annotations

import pytest
from bench.cold_start import Start
from bench.rows import Plan

from bench import client, cold_start, imports, pipeline, scanner, sidecar, stream, translation

WARM = Start(client_ms=800, answer_ms=900, cpu_ms=700, compiled_ms=700)


@pytest.mark.parametrize(
    ("cold", "waited"),
    [
        (Start(850, 1000, 800, compiled_ms=3000), False),  # answered long before
        (Start(2900, 3000, 2900, compiled_ms=2800), True),  # made the client wait
        (Start(850, 3000, 2900, compiled_ms=2950), True),  # made the call wait
        (Start(850, 950, 800, compiled_ms=870), False),  # a compile too quick to wait for
    ],
)
def test_a_start_that_waits_for_the_compile_is_told(cold: Start, *, waited: bool) -> None:
    assert cold_start.waited(cold, WARM) is waited
    (row,) = [row for row in cold_start.rows([cold], [WARM], [WARM]) if row.target]
    assert row.met is not waited


class Tiny(Plan):
    """Far fewer turns than anybody should conclude from."""

    def of(self, full: int, quick: int) -> int:
        return max(quick // 20, 1)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "bench",
    [client, cold_start, imports, pipeline, scanner, sidecar, stream, translation],
    ids=lambda m: m.__name__,
)
def test_a_tiny_run_measures_every_row(
    bench: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = bench.run(Tiny(quick=True, work=tmp_path_factory.getbasetemp() / "bench"))  # type: ignore[attr-defined]
    assert rows
    assert len({row.name for row in rows}) == len(rows)
    assert [row.name for row in rows if row.ours is None or row.ours < 0] == []
    assert [row.name for row in rows if row.other and row.theirs is None] == []
    assert [row.name for row in rows if row.target and row.judged is None] == []
