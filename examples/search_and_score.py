"""The whole job from Python: a folder of images to a scored prediction.

    python examples/search_and_score.py IMAGES

IMAGES is a folder of class folders. Everything is kept in the workspace that is found from
the current folder, `./automl-workspace` if there is none.
"""

from __future__ import annotations

import argparse

import automl


def main() -> None:
    """Searches, evaluates, exports, deploys, scores, and takes the service down again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help="a folder of class folders")
    parser.add_argument("--budget", default="3m", help="time for the search")
    parser.add_argument("--trials", type=int, help="the most trials")
    parser.add_argument("--export", default="exported", help="where to put the SavedModel")
    arguments = parser.parse_args()

    dataset = automl.Dataset.from_folder(arguments.images)
    train, test = dataset.split(train_size=0.66, stratify=True, seed=0)
    print(f"{len(train)} images to learn from, {len(test)} held out: {', '.join(dataset.labels)}")

    run = automl.search(
        train, test=test, name="example", budget=arguments.budget, trials=arguments.trials
    )
    for row in run.leaderboard[:3]:
        print(f"{row['score']:.3f}", row["hyperparameters"])

    evaluation = run.best.evaluate(test)
    print(f"class-averaged accuracy {evaluation.balanced_accuracy:.3f}, report {run.report}")
    print("exported to", run.best.export(arguments.export))

    model = automl.load_model("example")
    print("predicted here:", model.predict(test.paths[0])[0]["label"])

    deployment = automl.deploy("example", name="example-service")
    try:
        for result in deployment.score(test.paths[:3]):
            print("scored over HTTP:", result["image"], result["label"])
    finally:
        deployment.delete()


if __name__ == "__main__":
    main()
