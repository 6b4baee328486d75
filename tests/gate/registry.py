"""A real MLflow server on this machine, and weighin's gate as its webhook:
registers an honest and a malicious model, and waits for the tags.

    registry.py PORT GATE_PORT SECRET CORPUS
"""

import sys
import time
from pathlib import Path

import mlflow
from mlflow import MlflowClient

port, gate_port, secret, corpus = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
client = MlflowClient()
url = f"http://127.0.0.1:{gate_port}/v1/webhooks/mlflow"
good = client.create_webhook(name="weighin", url=url, events=["model_version.created"], secret=secret)
tested = client.test_webhook(good.webhook_id)
print("test of the webhook:", tested.response_status)
# It is signed and fresh; that there is no such version shows later, in the log.
assert tested.success and tested.response_status == 202, tested

experiment = client.create_experiment("gate")
run = client.create_run(experiment)
samples = {"honest": "pickle/honest-dict-p4.pkl", "evil": "pickle/reduce-os-system-p4.pkl"}
for name, sample in samples.items():
    client.log_artifact(run.info.run_id, str(corpus / sample), f"{name}/data/deep folder")
    client.log_text(run.info.run_id, "flavors: {}\n", f"{name}/MLmodel")
    client.create_registered_model(name)


def decided(name, version):
    for _ in range(300):
        tags = client.get_model_version(name, version).tags
        if "weighin.decision" in tags:
            return tags
        time.sleep(0.2)
    raise SystemExit(f"{name} {version} was not decided: {tags}")


for name, wanted in [("honest", ("allow", "passed")), ("evil", ("deny", "findings"))]:
    source = f"{run.info.artifact_uri}/{name}"
    version = client.create_model_version(name, source, run.info.run_id).version
    tags = decided(name, version)
    print(name, version, tags)
    assert (tags["weighin.decision"], tags["weighin.reason"]) == wanted, tags
    assert len(tags["weighin.content"]) == 64, tags

# As people log models: MLflow 3 keeps them apart from runs.
try:
    import numpy
    from mlflow.pyfunc import PythonModel

    class Doubles(PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input * 2

    with mlflow.start_run(experiment_id=experiment):
        logged = mlflow.pyfunc.log_model(
            name="model", python_model=Doubles(), registered_model_name="logged", pip_requirements=["numpy"]
        )
    tags = decided("logged", logged.registered_model_version)
    print("logged", tags)
    assert tags["weighin.decision"] in ("allow", "deny"), tags
    assert tags["weighin.reason"] in ("passed", "findings", "incomplete"), tags
except ImportError as error:
    raise SystemExit(f"MLflow lacks something: {error}")

# A webhook with another secret is refused, and decides nothing.
client.delete_webhook(good.webhook_id)
bad = client.create_webhook(name="wrong", url=url, events=["model_version.created"], secret="another-secret")
refused = client.test_webhook(bad.webhook_id)
print("wrong secret:", refused.response_status)
assert not refused.success and refused.response_status == 401, refused
