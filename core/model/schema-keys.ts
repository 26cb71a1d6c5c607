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
    };
  };
}

/** Names of the fields that a schema knows at a path; empty when it is no object there. */
export function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let nodes: readonly SchemaNode[] = [schema as unknown as SchemaNode];
  for (const step of path) nodes = nodes.flatMap(open).flatMap((node) => descend(node, step));
  return [...new Set(nodes.flatMap(open).flatMap((node) => Object.keys(node._zod.def.shape ?? {})))];
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
