/**
 * Checks JSON values against a JSON Schema (draft 2020-12), of which it knows exactly the keywords below: a schema with
 * another one is refused when it is compiled, so that nothing is passed over. Strict like the schemas it is made for. What
 * is absent and has a default is filled in.
 */

export interface SchemaIssue {
  /** Names and indexes from the root. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Issues found; none: the value is as the schema says. */
export type SchemaCheck = (value: unknown) => readonly SchemaIssue[];

type Path = readonly (string | number)[];
type Check = (value: unknown, path: Path, issues: SchemaIssue[]) => void;
type Schema = Readonly<Record<string, unknown>>;

/** Beyond this many issues one learns nothing new. */
const maxIssues = 20;
const silent = new Set(['$schema', '$defs', 'default', 'description', 'title', 'id', '$id']);
/** Belong to others: `required` and the like to `properties`, and so on. */
const partners = new Set(['required', 'additionalProperties', 'propertyNames']);

export function compileSchema(root: unknown): SchemaCheck {
  const schema = asSchema(root);
  const definitions = asSchema(schema['$defs'] ?? {});
  const compiled = new Map<string, Check>();
  const resolve = (reference: string): Check => {
    const known = compiled.get(reference);
    if (known !== undefined) return known;
    // Entered before it is compiled: a definition may mention itself.
    let check: Check = () => undefined;
    compiled.set(reference, (value, path, issues) => check(value, path, issues));
    const definition = definitions[reference.replace('#/$defs/', '')];
    check = reference === '#' ? compile(schema, resolve) : compile(asSchema(definition), resolve);
    return check;
  };
  const check = compile(schema, resolve);
  return (value) => {
    const issues: SchemaIssue[] = [];
    check(value, [], issues);
    return issues.slice(0, maxIssues);
  };
}

function compile(schema: Schema, resolve: (reference: string) => Check): Check {
  const checks: Check[] = [];
  for (const [keyword, argument] of Object.entries(schema)) {
    if (silent.has(keyword) || partners.has(keyword)) continue;
    const create = keywords[keyword];
    if (create === undefined) throw new Error(`the schema uses '${keyword}', which is not known here`);
    checks.push(create(argument, schema, resolve));
  }
  if (schema['properties'] === undefined && schema['type'] === 'object') checks.push(checkObject(schema, resolve));
  if (checks.length === 1 && checks[0] !== undefined) return checks[0];
  return (value, path, issues) => {
    const before = issues.length;
    for (const check of checks) {
      check(value, path, issues);
      // What has the wrong type need not be looked at any further.
      if (issues.length > before) return;
    }
  };
}

type CreateCheck = (argument: unknown, schema: Schema, resolve: (reference: string) => Check) => Check;

const keywords: Readonly<Record<string, CreateCheck>> = {
  $ref: (reference, _schema, resolve) => resolve(String(reference)),
  type: (type) => checkType(Array.isArray(type) ? type.map(String) : [String(type)]),
  const: (wanted) => test((value) => value === wanted, `must be ${JSON.stringify(wanted)}`),
  enum: (wanted) => {
    const list = asList(wanted);
    return test((value) => list.includes(value), `must be one of ${list.map((one) => JSON.stringify(one)).join(', ')}`);
  },
  minimum: (limit) => test((value) => !(Number(value) < Number(limit)), `must be at least ${limit}`),
  maximum: (limit) => test((value) => !(Number(value) > Number(limit)), `must be at most ${limit}`),
  exclusiveMinimum: (limit) => test((value) => Number(value) > Number(limit), `must be more than ${limit}`),
  exclusiveMaximum: (limit) => test((value) => Number(value) < Number(limit), `must be less than ${limit}`),
  minLength: (limit) =>
    test((value) => String(value).length >= Number(limit), `must have ${limit} characters at least`),
  maxLength: (limit) => test((value) => String(value).length <= Number(limit), `must have ${limit} characters at most`),
  pattern: (source) => {
    const pattern = new RegExp(String(source), 'u');
    return test((value) => pattern.test(String(value)), `must match ${pattern}`);
  },
  minItems: (limit) => test((value) => asList(value).length >= Number(limit), `must have ${limit} items at least`),
  maxItems: (limit) => test((value) => asList(value).length <= Number(limit), `must have ${limit} items at most`),
  items: (argument, schema, resolve) => {
    const from = asList(schema['prefixItems'] ?? []).length;
    if (argument === false) return test((value) => asList(value).length <= from, `must have ${from} items`);
    const check = compile(asSchema(argument), resolve);
    return (value, path, issues) => {
      for (const [index, item] of asList(value).entries()) if (index >= from) check(item, [...path, index], issues);
    };
  },
  prefixItems: (argument, _schema, resolve) => {
    const checks = asList(argument).map((one) => compile(asSchema(one), resolve));
    return (value, path, issues) => {
      const items = asList(value);
      if (items.length < checks.length) report(issues, path, `must have ${checks.length} items`);
      for (const [index, check] of checks.entries())
        if (index < items.length) check(items[index], [...path, index], issues);
    };
  },
  properties: (_argument, schema, resolve) => checkObject(schema, resolve),
  anyOf: (argument, _schema, resolve) => checkUnion(asList(argument).map(asSchema), resolve),
  oneOf: (argument, _schema, resolve) => checkUnion(asList(argument).map(asSchema), resolve),
};

function checkType(types: readonly string[]): Check {
  const isOf = (value: unknown, type: string) => {
    if (type === 'integer') return Number.isInteger(value);
    if (type === 'number') return typeof value === 'number' && Number.isFinite(value);
    if (type === 'null') return value === null;
    if (type === 'array') return Array.isArray(value);
    if (type === 'object') return isObject(value);
    return typeof value === type;
  };
  return test((value) => types.some((type) => isOf(value, type)), `must be ${types.join(' or ')}`);
}

function checkObject(schema: Schema, resolve: (reference: string) => Check): Check {
  const properties = new Map(
    Object.entries(asSchema(schema['properties'] ?? {})).map(([name, one]) => [name, compile(asSchema(one), resolve)]),
  );
  const defaults = Object.entries(asSchema(schema['properties'] ?? {})).flatMap(([name, one]): [string, unknown][] =>
    isObject(one) && 'default' in one ? [[name, one['default']]] : [],
  );
  const required = asList(schema['required'] ?? []).map(String);
  const { additionalProperties: others = true, propertyNames } = schema;
  const checkOther = isObject(others) ? compile(asSchema(others), resolve) : null;
  const checkName = propertyNames === undefined ? null : compile(asSchema(propertyNames), resolve);
  return (value, path, issues) => {
    if (!isObject(value)) return report(issues, path, 'must be object');
    for (const [name, filler] of defaults) if (!Object.hasOwn(value, name)) value[name] = structuredClone(filler);
    for (const name of required) if (!Object.hasOwn(value, name)) report(issues, [...path, name], 'is missing');
    for (const [name, one] of Object.entries(value)) {
      const check = properties.get(name) ?? checkOther;
      if (check !== null) check(one, [...path, name], issues);
      else if (others === false) report(issues, [...path, name], 'is not known');
      checkName?.(name, [...path, name], issues);
    }
  };
}

/** Of a union the branch that names the value's kind speaks for all; without one, some branch has to match. */
function checkUnion(branches: readonly Schema[], resolve: (reference: string) => Check): Check {
  const options = branches.map((branch) => ({ tags: tagsOf(branch), check: compile(branch, resolve) }));
  return (value, path, issues) => {
    const named = options.find(
      ({ tags }) => tags.length > 0 && tags.every(([name, tag]) => valueAt(value, name) === tag),
    );
    if (named !== undefined) return named.check(value, path, issues);
    for (const { check } of options) {
      const found: SchemaIssue[] = [];
      check(value, path, found);
      if (found.length === 0) return;
    }
    const kinds = options.flatMap(({ tags }) => tags.map(([name, tag]) => `${name} ${JSON.stringify(tag)}`));
    report(issues, path, kinds.length > 0 ? `must be one of: ${kinds.join(', ')}` : 'is none of the forms it may have');
  };
}

function tagsOf(branch: Schema): [string, unknown][] {
  const properties = branch['properties'];
  if (!isObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, one]): [string, unknown][] =>
    isObject(one) && typeof one['const'] === 'string' ? [[name, one['const']]] : [],
  );
}

function valueAt(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function test(isRight: (value: unknown) => boolean, message: string): Check {
  return (value, path, issues) => {
    if (!isRight(value)) report(issues, path, message);
  };
}

function report(issues: SchemaIssue[], path: Path, message: string): void {
  issues.push({ path, message });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown): Schema {
  if (!isObject(value)) throw new Error('not a schema');
  return value;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
