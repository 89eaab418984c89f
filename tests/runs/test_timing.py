from tlkit.runs.timing import Clock


def test_laps_add_up(monkeypatch):
    now = iter([0.0, 1.0, 3.5, 4.0, 10.0])
    monkeypatch.setattr("tlkit.runs.timing.time.perf_counter", lambda: next(now))
    watch = Clock()
    watch.lap("build")
    watch.lap("train")
    watch.lap("build")
    assert watch.line() == "Seconds: build 1.5, train 2.5"
    assert watch.seconds() == {"build": 1.5, "train": 2.5, "total": 10.0}
