//! The gate described as OpenAPI 3.1, from the types and the table of reasons.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::gate::answer::{Accepted, Answer};
use crate::gate::reason::Reason;
use crate::gate::routes::ByUri;

/// The description, indented, with a final newline.
pub fn openapi() -> String {
    let mut text = serde_json::to_string_pretty(&description()).unwrap_or_default();
    text.push('\n');
    text
}

/// What is served.
pub(super) fn text() -> String {
    openapi()
}

fn description() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let answer = json!(generator.subschema_for::<Answer>());
    let by_uri = json!(generator.subschema_for::<ByUri>());
    let accepted = json!(generator.subschema_for::<Accepted>());
    let schemas = generator.take_definitions(true);
    let refusals = |wanted: &dyn Fn(Reason) -> bool| responses(&answer, wanted);
    let plain = |what: &str, kind: &str| json!({ "200": { "description": what, "content": { kind: {} } } });
    let mut ready = plain("Something new would be taken.", "text/plain");
    ready["503"] = json!({ "description": Reason::Draining.meaning(), "content": { "text/plain": {} } });
    let mut kept = refusals(&|reason| {
        matches!(reason, Reason::NotFound | Reason::Unauthorized | Reason::ForeignOrigin | Reason::TooManyRequests)
    });
    kept["200"] = json!({
        "description": "The answer that was given, whether it was to allow or to deny; as a page when asked for.",
        "content": { "application/json": { "schema": answer }, "text/html": {} },
    });
    let going_on = json!({
        "description": "The scan goes on.",
        "content": { "application/json": { "schema": accepted } },
    });
    let mut delivery = kept.clone();
    delivery["202"] = going_on.clone();
    let mut hook = refusals(&|reason| {
        use Reason::{BadRequest, Draining, NotFound, Overloaded, SlowBody, TimedOut, TooLarge, Unauthorized};
        let these = [BadRequest, Draining, NotFound, Overloaded, SlowBody, TimedOut, TooLarge, Unauthorized];
        these.contains(&reason)
    });
    hook["202"] = going_on;
    hook["200"] = json!({ "description": "The event asks for nothing." });
    let binary = json!({ "schema": { "type": "string", "format": "binary" } });
    let form =
        json!({ "schema": { "type": "object", "properties": { "file": { "type": "string", "format": "binary" } } } });
    let tokens = json!([{ "token": [] }, {}]);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "weighin gate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Says whether a machine-learning model may be used, before it is admitted.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": {
            "/v1/scan": { "post": {
                "summary": "Examine a file",
                "operationId": "scan",
                "security": tokens,
                "parameters": [
                    { "name": "name", "in": "query", "schema": { "type": "string" }, "description": "The file's name." },
                    { "name": "X-Weighin-Name", "in": "header", "schema": { "type": "string" }, "description": "The same." },
                ],
                "requestBody": { "required": true, "content": {
                    "application/octet-stream": binary,
                    "multipart/form-data": form,
                    "application/json": { "schema": by_uri },
                } },
                "responses": refusals(&|reason| !matches!(reason, Reason::NotFound | Reason::MethodNotAllowed)),
            } },
            "/v1/reports/{sha256}": { "get": {
                "summary": "The answer that was given about a file",
                "operationId": "report",
                "security": tokens,
                "parameters": [{
                    "name": "sha256", "in": "path", "required": true,
                    "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
                }],
                "responses": kept,
            } },
            "/v1/deliveries/{id}": { "get": {
                "summary": "What came of a webhook",
                "operationId": "delivery",
                "security": tokens,
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                "responses": delivery,
            } },
            "/v1/webhooks/mlflow": { "post": webhook("MLflow's model registry", "mlflow", &hook) },
            "/v1/webhooks/huggingface": { "post": webhook("the Hugging Face Hub", "huggingface", &hook) },
            "/healthz": { "get": {
                "summary": "Whether the process is alive", "operationId": "alive", "security": [],
                "responses": plain("It is.", "text/plain"),
            } },
            "/readyz": { "get": {
                "summary": "Whether something new would be taken", "operationId": "ready", "security": [],
                "responses": ready,
            } },
            "/metrics": { "get": {
                "summary": "Counters in the text format of Prometheus", "operationId": "metrics", "security": [],
                "responses": plain("The counters.", "text/plain"),
            } },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The operation that takes a registry's webhooks.
fn webhook(whose: &str, id: &str, responses: &Value) -> Value {
    json!({
        "summary": format!("Takes the webhooks of {whose}"),
        "operationId": id,
        "security": [],
        "requestBody": { "required": true, "content": { "application/json": {} } },
        "responses": responses,
    })
}

/// The responses with the reasons that are `wanted`, by status.
fn responses(answer: &Value, wanted: &dyn Fn(Reason) -> bool) -> Value {
    let mut meanings: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for reason in Reason::ALL.iter().filter(|reason| wanted(**reason)) {
        let meaning = format!("`{}`: {}", reason.name(), reason.meaning());
        meanings.entry(reason.status()).or_default().push(meaning);
    }
    let each = meanings.into_iter().map(|(status, meanings)| {
        let content = json!({ "application/json": { "schema": answer } });
        (status.to_string(), json!({ "description": meanings.join("\n"), "content": content }))
    });
    Value::Object(each.collect::<Map<_, _>>())
}
