"""Judges every trained model on the test split: leaderboard, figures and report."""

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("evaluate"):
        with importing():
            from autoencoders.core.files import read_json, write_json, write_text
            from autoencoders.core.paths import (
                DATA,
                FIGURES,
                LEADERBOARD,
                METRICS,
                MODELS,
                REPORT_PAGE,
            )
            from autoencoders.data.prepared.prepared import REPORT, load_prepared
            from autoencoders.evaluation.figures import Figures
            from autoencoders.evaluation.leaderboard import Evaluation
            from autoencoders.evaluation.report import csv, html
            from autoencoders.evaluation.studies import load_studies
            from autoencoders.evaluation.unusual import most_unusual
            from autoencoders.models.trained.saved import load, load_history
            from autoencoders.params.goal import resolved_goal
            from autoencoders.params.params import load_params

        params = load_params()
        studies = load_studies(params.model_types)
        data = load_prepared(DATA)
        models = {model_type: load(MODELS / model_type) for model_type in params.model_types}
        goal = resolved_goal(params.goal, data.description.facts)
        rows = Evaluation(data, params.evaluate, goal).rows(list(models.values()))
        figures = {}
        for model_type, model in models.items():
            history = load_history(MODELS / model_type)
            drawn = Figures(model, data, history, params.evaluate.figure_columns, goal)
            figures[model_type] = drawn.save(FIGURES / model_type)
        write_json(LEADERBOARD, [row.written() for row in rows])
        write_text(METRICS / "leaderboard.csv", csv(rows))
        unusual = most_unusual(models, rows, data, params.tune)
        source = read_json(DATA / REPORT)
        page = html(rows, params.tune, figures, data.description, source, unusual, studies)
        write_text(REPORT_PAGE, page)
        write_json(METRICS / "metrics.json", {row.model: row.numbers() for row in rows})
        print(f"leaderboard: `ae leaderboard`; figures: {REPORT_PAGE}")
