// The same task as lines to copy: for a terminal, for Python, for Qiskit.

const AUTH = document.documentElement.dataset.auth === "required";

/** `{tab: text}` for a task and what was submitted. */
export function codes(url, taskId, submission) {
  const found = {
    curl: curl(url, taskId, submission),
    Python: python(url, taskId, submission),
  };
  if (!submission.circuit_format && !submission.samplex) found.Qiskit = qiskit(url, submission);
  return found;
}

function curl(url, taskId, submission) {
  const auth = AUTH ? ' -H "Authorization: Bearer $TOKEN"' : "";
  return `# what became of it
curl -s '${url}/tasks/${taskId}'${auth}

# the same again
curl -s '${url}/tasks'${auth} -H 'Content-Type: application/json' -d @- <<'BODY'
${JSON.stringify(submission)}
BODY
`;
}

function python(url, taskId, { circuit, ...options }) {
  return `from quantumtasks_client import Client

client = Client(${text(url)})${AUTH ? "  # the token: QUANTUMTASKS_TOKEN, or qtasks login" : ""}

# what became of it
print(client.wait(${text(taskId)}).result)

# the same again
task = client.submit(
    ${text(circuit)},${keywords(options)}
)
print(client.wait(task).result)
`;
}

function qiskit(url, { circuit, backend, parameters, parameter_sets, observables, ...options }) {
  const version = /^\s*OPENQASM\s+2/m.test(circuit) ? "qasm2" : "qasm3";
  const importer = version === "qasm3" ? "  # pip install qiskit-qasm3-import" : "";
  const values = parameter_sets ?? (parameters ? [parameters] : null);
  const each = values ? "[circuit.assign_parameters(each) for each in values]" : "[circuit]";
  const run = observables ? estimator(observables, options) : sampler(options);
  return `from qiskit import ${version}${importer}
from quantumtasks_client.qiskit import ${run.imports}

circuit = ${version}.loads(${text(circuit)})
${values ? `values = ${value(values)}\n` : ""}circuits = ${each}
backend = QuantumTasksProvider(${text(url)}).get_backend(${backend ? text(backend) : ""})
${run.lines}
`;
}

function sampler({ shots, seed, method, noise, optimization_level }) {
  const asked = { shots, seed_simulator: seed, method, noise, optimization_level };
  const options = keywords(asked, ", ", "");
  return {
    imports: "QuantumTasksProvider",
    lines: `print(backend.run(circuits${options}).result().get_counts())`,
  };
}

function estimator(observables, { seed, precision, method, noise, optimization_level }) {
  const options = {
    ...{ default_precision: precision, seed_simulator: seed },
    ...{ method, noise, optimization_level },
  };
  const given = Object.fromEntries(
    Object.entries(options).filter(([, each]) => each !== undefined),
  );
  return {
    imports: "EstimatorV2, QuantumTasksProvider\nfrom qiskit.quantum_info import SparsePauliOp",
    lines: `terms = ${value(observables)}
observables = [SparsePauliOp.from_list(list(each.items())) for each in terms]
estimator = EstimatorV2(backend, options=${value(given)})
for result in estimator.run([(each, observables) for each in circuits]).result():
    print(result.data.evs)`,
  };
}

function keywords(options, before = "\n    ", after = ",") {
  return Object.entries(options)
    .filter(([, given]) => given !== undefined && given !== null)
    .map(([name, given]) => `${before}${name}=${value(given)}${after}`)
    .join("");
}

/** JSON as Python writes it. */
function value(given) {
  if (given === null) return "None";
  if (given === true) return "True";
  if (given === false) return "False";
  if (Array.isArray(given)) return `[${given.map(value).join(", ")}]`;
  if (typeof given === "object") {
    return `{${Object.entries(given)
      .map(([name, each]) => `${text(name)}: ${value(each)}`)
      .join(", ")}}`;
  }
  return typeof given === "string" ? text(given) : String(given);
}

/** A text as Python writes it: over lines if it has several. */
function text(given) {
  if (!given.includes("\n")) return JSON.stringify(given);
  const inside = given.replaceAll("\\", "\\\\").replaceAll('"""', '\\"\\"\\"');
  return `"""\\\n${inside.endsWith('"') ? `${inside.slice(0, -1)}\\"` : inside}"""`;
}
