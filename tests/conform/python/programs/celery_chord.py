"""Celery: chords, whose results lie in a database (SQLite) while the broker carries the tasks."""

import pathlib
import tempfile

import celery
import celery_app

import broker

SECONDS = 30


def main(stage):
    with tempfile.TemporaryDirectory() as folder:
        celery_app.settle(stage, results=f"db+sqlite:///{pathlib.Path(folder) / 'results.sqlite'}")
        with celery_app.working(celery_app.Worker("threads", "--pool=threads", "--concurrency=2")):
            chord = celery.chord(celery_app.add.s(number, number) for number in range(10))
            broker.same(chord(celery_app.total.s()).get(timeout=SECONDS), 90, "total of a chord")
            chained = celery.chain(
                celery.group(celery_app.add.s(number, 1) for number in range(3)),
                celery_app.total.s(),
                celery_app.add.s(100),
            )()
            broker.same(chained.get(timeout=SECONDS), 106, "chain with a group in it")
            broken = celery.chord([celery_app.add.s(1, 1), celery_app.fail.s("member")])(celery_app.total.s())
            try:
                broken.get(timeout=SECONDS, follow_parents=False)
            except celery.exceptions.ChordError as error:
                broker.holds("member" in str(error), f"error says {error}")
            else:
                raise broker.Mismatch("a chord with a member that fails gave a total")
            group = celery.group(celery_app.add.s(number, 0) for number in range(5))()
            broker.same(group.get(timeout=SECONDS), [0, 1, 2, 3, 4], "results of a group")


if __name__ == "__main__":
    broker.run(main)
