import type { z } from 'zod';

/** As much of a schema as is needed to walk it (zod 4 keeps it under `_zod.def`). */
interface SchemaNode {
  readonly _zod: {
    readonly def: {
      readonly type: string;
      readonly shape?: Readonly<Record<string, SchemaNode>>;
      readonly innerType?: SchemaNode;
      readonly element?: SchemaNode;
      readonly valueType?: SchemaNode;
      readonly options?: readonly SchemaNode[];
      readonly entries?: Readonly<Record<string, unknown>>;
      readonly values?: readonly unknown[];
    };
  };
}

/** Names of the fields that a schema knows at a path; empty when it is no object there. */
export function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  return [...new Set(nodesAt(schema, path).flatMap((node) => Object.keys(node._zod.def.shape ?? {})))];
}

/** The values that a field at a path may have, where they can be listed (enumerations, literals, booleans). */
export function valuesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  return [...new Set(nodesAt(schema, path).flatMap(valuesOf))];
}

/** What is written at a path: `text`, `number`, `true or false`, `list`, `object`, `map`; several with `or`; '' when unknown. */
export function typeAt(schema: z.ZodType, path: readonly PropertyKey[]): string {
  const names = nodesAt(schema, path).flatMap(({ _zod: { def } }) => typeNames[def.type] ?? []);
  return [...new Set(names)].join(' or ');
}

const typeNames: Readonly<Record<string, string>> = {
  ...{ string: 'text', enum: 'text', literal: 'text', number: 'number', int: 'number', boolean: 'true or false' },
  ...{ array: 'list', object: 'object', record: 'map' },
};

function valuesOf({ _zod: { def } }: SchemaNode): readonly string[] {
  if (def.type === 'boolean') return ['true', 'false'];
  if (def.type === 'enum') return Object.values(def.entries ?? {}).map(String);
  return def.type === 'literal' ? (def.values ?? []).map(String) : [];
}

function nodesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly SchemaNode[] {
  let nodes: readonly SchemaNode[] = [schema as unknown as SchemaNode];
  for (const step of path) nodes = nodes.flatMap(open).flatMap((node) => descend(node, step));
  return nodes.flatMap(open);
}

/** Without wrappers (optional, nullable ...) and with unions split up. */
function open(node: SchemaNode): readonly SchemaNode[] {
  const { type, innerType, options } = node._zod.def;
  if (type === 'union' && options !== undefined) return options.flatMap(open);
  return innerType === undefined ? [node] : open(innerType);
}

function descend(node: SchemaNode, step: PropertyKey): readonly SchemaNode[] {
  const { type, shape, element, valueType } = node._zod.def;
  const next = type === 'array' ? element : type === 'record' ? valueType : shape?.[String(step)];
  return next === undefined ? [] : [next];
}
