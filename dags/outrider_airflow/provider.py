"""What Airflow lists of this package: `airflow providers list`. Imports no Airflow."""

from outrider_airflow import __version__


def get_provider_info():
    return {
        "package-name": "outrider-airflow",
        "name": "Outrider",
        "description": "Runs Outrider's components as tasks.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "Outrider",
                "external-doc-url": "https://github.com/outrider-run/outrider",
                "tags": ["software"],
            }
        ],
        "operators": [{"integration-name": "Outrider", "python-modules": ["outrider_airflow.operator"]}],
    }
