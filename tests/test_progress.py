from tlkit.progress import Silent, track


class Recorder(Silent):
    def __init__(self):
        self.lines = []

    def start(self, task, total=None):
        self.lines.append((task, total))

    def advance(self, steps=1):
        self.lines.append(steps)


def test_track_reports_every_item():
    recorder = Recorder()
    assert list(track([5, 6], recorder, "Counting", 2)) == [5, 6]
    assert recorder.lines == [("Counting", 2), 1, 1]
