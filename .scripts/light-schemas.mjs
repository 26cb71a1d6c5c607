const schemaModule = /\/control\/message-schema\.ts$/;
const emptySchemas = '\0empty-schemas';

/**
 * Stands in for the schema library: whatever is built with it is built of nothing. Reading a value with such a schema is
 * an error, as it would let everything pass.
 */
const emptySchemasCode = `
const refused = new Set(['parse', 'safeParse', 'parseAsync', 'safeParseAsync', 'options', 'enum', 'values', 'def', '_zod']);
const schema = new Proxy(function () {}, {
  get: (_target, name) => {
    if (typeof name === 'symbol' || name === 'prototype') return undefined;
    if (refused.has(name)) throw new Error('the sidecar has no schemas at run time: ' + name);
    return schema;
  },
  apply: () => schema,
});
export const z = new Proxy({}, { get: () => schema });
`;

/**
 * Leaves the schema library out of a program: the schemas it reads messages with are worked out now and put in as data
 * (core/data-plane/control/message-schema.ts); all others serve types only.
 */
export const lightSchemas = () => ({
  name: 'light-schemas',
  enforce: 'pre',
  resolveId: (id) => (id === 'zod' ? emptySchemas : null),
  load: (id) => (id === emptySchemas ? emptySchemasCode : null),
  transform: async (_code, id) => {
    if (!schemaModule.test(id)) return null;
    // Loaded here: an old Node cannot even load it, and has to be told so first.
    const { runnerImport } = await import('vite');
    const { module } = await runnerImport(id);
    return { code: `export const messageSchemas = ${JSON.stringify(module.messageSchemas)};`, map: null };
  },
});
