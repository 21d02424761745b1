// Shows /openapi.json, and sends requests with the key that is typed in. The key is kept in this page alone, and
// nothing is asked of any other host. Texts of the document and of answers are only ever set as text.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const byId = (id) => document.getElementById(id);
let api = {};

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Paragraphs, `code` and **strong words**: all that the descriptions use.
function prose(text) {
  const paragraphs = (text || "").split(/\n{2,}/).filter((paragraph) => paragraph.trim() !== "");
  return paragraphs.map((paragraph) => element("p", {}, ...inline(paragraph)));
}

function inline(text) {
  const parts = (text || "").split(/(`[^`]+`|\*\*[^*]+\*\*)/);
  return parts.map((part) => {
    if (part.startsWith("`") && part.length > 2) {
      return element("code", { textContent: part.slice(1, -1) });
    }
    if (part.startsWith("**") && part.length > 4) {
      return element("strong", {}, ...inline(part.slice(2, -2)));
    }
    return document.createTextNode(part);
  });
}

function resolved(schema) {
  const reference = schema && schema.$ref;
  if (!reference) {
    return schema || {};
  }
  const steps = reference.slice(2).split("/");
  return steps.reduce((found, step) => (found || {})[step], api) || {};
}

function nameOf(schema) {
  return schema && schema.$ref ? schema.$ref.split("/").pop() : "";
}

function typeOf(schema) {
  const known = resolved(schema);
  const choices = known.oneOf || known.anyOf;
  if (nameOf(schema)) {
    return nameOf(schema);
  }
  if (choices) {
    return choices.map(typeOf).join(" | ");
  }
  if (known.items) {
    return `list of ${typeOf(known.items)}`;
  }
  const type = [known.type || (known.allOf ? "object" : "anything")].flat().join(" | ");
  return known.format ? `${type} (${known.format})` : type;
}

function limitsOf(schema) {
  const known = resolved(schema);
  const limits = [];
  const words = { minimum: "at least", maximum: "at most", pattern: "like", default: "usually" };
  for (const [key, word] of Object.entries(words)) {
    if (known[key] !== undefined) {
      limits.push(`${word} ${known[key]}`);
    }
  }
  if (known.minLength !== undefined || known.maxLength !== undefined) {
    limits.push(`${known.minLength || 0} to ${known.maxLength === undefined ? "∞" : known.maxLength} characters`);
  }
  if (known.minItems !== undefined || known.maxItems !== undefined) {
    limits.push(`${known.minItems || 0} to ${known.maxItems === undefined ? "∞" : known.maxItems} items`);
  }
  if (known.enum) {
    limits.push(`one of ${known.enum.map(String).join(", ")}`);
  }
  return limits.join("; ");
}

// The fields of an object, with those of the objects in it inside. What refers to itself ends.
function fields(schema, above) {
  const name = nameOf(schema);
  if (above.includes(name) && name) {
    return [];
  }
  const known = resolved(schema);
  const inside = name ? [...above, name] : above;
  const lists = [];
  if (known.properties) {
    const items = Object.entries(known.properties).map(([field, of]) =>
      fieldItem(field, of, (known.required || []).includes(field), inside),
    );
    lists.push(element("ul", { className: "fields" }, ...items));
  }
  for (const part of known.allOf || []) {
    lists.push(...fields(part, inside));
  }
  for (const choice of known.oneOf || known.anyOf || []) {
    const deeper = fields(choice, inside);
    if (deeper.length > 0 && choice.type !== "null") {
      const said = choice.description || nameOf(choice) || "Or";
      lists.push(element("p", { className: "note" }, ...inline(said)), ...deeper);
    }
  }
  if (known.items) {
    lists.push(...fields(known.items, inside));
  }
  return lists;
}

function fieldItem(field, schema, isRequired, above) {
  const head = [
    element("code", { textContent: field }),
    element("span", { className: "type", textContent: ` ${typeOf(schema)}${isRequired ? "" : ", may be absent"}` }),
  ];
  const limits = limitsOf(schema);
  const said = schema.description || resolved(schema).description || "";
  const note = [said, limits].filter((text) => text !== "").join(" — ");
  return element(
    "li",
    {},
    ...head,
    note ? element("p", { className: "note" }, ...inline(note)) : null,
    ...fields(schema, above),
  );
}

function exampleOf(content) {
  const known = resolved(content.schema);
  return content.example === undefined ? (known.examples || [])[0] : content.example;
}

function pretty(value) {
  return JSON.stringify(value, null, 2);
}

function body(title, content) {
  const [type, described] = Object.entries(content || {})[0] || [];
  if (!described) {
    return [];
  }
  const example = exampleOf(described);
  return [
    element("h3", { textContent: `${title} (${type})` }),
    example === undefined ? null : element("pre", { textContent: pretty(example) }),
    element("details", {}, element("summary", { textContent: "Fields" }), ...fields(described.schema, [])),
  ];
}

function answers(operation) {
  return Object.entries(operation.responses || {}).map(([status, answer]) => {
    const known = resolved(answer);
    return element(
      "details",
      {},
      element("summary", {}, element("strong", { textContent: status }), " ", ...inline(known.description)),
      ...body("Answer", known.content),
    );
  });
}

function parameterInput(parameter) {
  const input = element("input", { name: parameter.name, autocomplete: "off" });
  input.dataset.place = parameter.in;
  input.required = parameter.required === true;
  const said = parameter.description ? ` — ${parameter.description}` : "";
  const limits = limitsOf(parameter.schema);
  const note = `${typeOf(parameter.schema)}${limits ? `; ${limits}` : ""}${said}`;
  return element(
    "label",
    {},
    element("code", { textContent: parameter.name }),
    " ",
    input,
    element("span", { className: "type" }, " ", ...inline(note)),
  );
}

function request(path, method, form, text) {
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const input of form.querySelectorAll("input")) {
    const { place } = input.dataset;
    if (place === "path") {
      address = address.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else if (place === "query" && input.value !== "") {
      query.append(input.name, input.value);
    } else if (place === "header" && input.value !== "") {
      headers[input.name] = input.value;
    }
  }
  if (byId("key").value) {
    headers.authorization = `Bearer ${byId("key").value}`;
  }
  if (text !== null) {
    headers["content-type"] = "application/json";
  }
  const asked = query.toString();
  return fetch(asked ? `${address}?${asked}` : address, {
    method: method.toUpperCase(),
    headers,
    body: text === null ? undefined : text,
    credentials: "omit",
  });
}

async function shown(answer) {
  const text = await answer.text();
  let told = text;
  try {
    told = pretty(JSON.parse(text));
  } catch {
    // It is shown as it came.
  }
  return `${answer.status} ${answer.statusText}\nx-request-id: ${answer.headers.get("x-request-id") || ""}\n\n${told}`;
}

function trial(path, method, operation) {
  const content = ((operation.requestBody || {}).content || {})["application/json"];
  const text = content ? element("textarea", { value: pretty(exampleOf(content) || {}), spellcheck: false }) : null;
  const output = element("pre", { hidden: true });
  const form = element(
    "form",
    {},
    element("h3", { textContent: "Try it" }),
    ...(operation.parameters || []).map(parameterInput),
    text,
    element("button", { textContent: "Send" }),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.hidden = false;
    output.textContent = "…";
    try {
      output.textContent = await shown(await request(path, method, form, text === null ? null : text.value));
    } catch (error) {
      output.textContent = `It could not be sent: ${error.message}`;
    }
  });
  return form;
}

function operationDetails(path, method, operation) {
  const inside = element("div", {});
  const made = element(
    "details",
    { className: "operation", id: operation.operationId },
    element(
      "summary",
      {},
      element("span", { className: "method", textContent: method.toUpperCase() }),
      element("span", { className: "path", textContent: path }),
      element("span", { className: "summary", textContent: operation.summary || "" }),
    ),
    inside,
  );
  made.dataset.words = [path, method, operation.summary, operation.description].join(" ").toLowerCase();
  made.addEventListener("toggle", () => {
    if (made.open && inside.childElementCount === 0) {
      inside.append(
        ...prose(operation.description),
        ...body("Body", (operation.requestBody || {}).content),
        element("h3", { textContent: "Answers" }),
        ...answers(operation),
        trial(path, method, operation),
      );
    }
  });
  return made;
}

function sections() {
  const tagged = new Map((api.tags || []).map((tag) => [tag.name, { said: tag.description, operations: [] }]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((known) => item[known])) {
      const tag = (item[method].tags || [])[0];
      if (!tagged.has(tag)) {
        tagged.set(tag, { said: "", operations: [] });
      }
      tagged.get(tag).operations.push(operationDetails(path, method, item[method]));
    }
  }
  return tagged;
}

function find() {
  const wanted = byId("find").value.trim().toLowerCase();
  for (const operation of document.querySelectorAll("details.operation")) {
    operation.hidden = !operation.dataset.words.includes(wanted);
  }
}

function openNamed() {
  const named = byId(decodeURIComponent(location.hash.slice(1)));
  if (named && named.tagName === "DETAILS") {
    named.open = true;
    named.scrollIntoView();
  }
}

async function show() {
  const main = byId("main");
  try {
    api = await (await fetch("/openapi.json")).json();
  } catch (error) {
    main.replaceChildren(element("p", { textContent: `The document could not be read: ${error.message}` }));
    return;
  }
  const parts = [
    element("p", { className: "type", textContent: `Version ${api.info.version}` }),
    ...prose(api.info.description),
  ];
  for (const [tag, { said, operations }] of sections()) {
    const id = `tag-${tag.toLowerCase().replaceAll(" ", "-")}`;
    parts.push(element("h2", { id, textContent: tag }), ...prose(said), ...operations);
    byId("tags").append(element("a", { href: `#${id}`, textContent: tag }));
  }
  main.replaceChildren(...parts);
  byId("find").addEventListener("input", find);
  window.addEventListener("hashchange", openNamed);
  openNamed();
}

show();
