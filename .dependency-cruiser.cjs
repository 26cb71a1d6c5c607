/**
 * The import directions of docs/architecture.md, as rules. Project references already stop a wrong import between the
 * big parts; these also hold inside `core/` and between features.
 */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(core|electron|renderer|test)/', pathNot: [from, ...allowed] },
});

const pure = '^core/(shared|model|policy|snapshot|contract|export)/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('shared-is-the-bottom', '^core/shared/', [], 'shared imports nothing of ours'),
    only(
      'model',
      '^core/model/',
      ['^core/shared/', '^core/contract/errors[.]ts$'],
      'model imports shared (and the error table)',
    ),
    only('policy', '^core/policy/', ['^core/(shared|model)/'], 'policy decides on model types, without I/O'),
    only('snapshot', '^core/snapshot/', ['^core/(shared|model|policy)/', '^core/contract/errors[.]ts$']),
    only('contract', '^core/contract/', ['^core/(shared|model)/']),
    only('export', '^core/export/', ['^core/(shared|model|policy|snapshot|contract)/']),
    only('control-plane', '^core/control-plane/', [pure], 'the two planes share data types only'),
    only('data-plane', '^core/data-plane/', ['^core/(shared|model|policy)/'], 'the two planes share data types only'),
    only('electron', '^electron/', ['^core/control-plane/', pure]),
    only('renderer', '^renderer/', ['^core/(shared|model|contract|policy)/']),
    {
      name: 'features-do-not-know-each-other',
      severity: 'error',
      from: { path: '^renderer/features/([^/]+)/' },
      to: { path: '^renderer/features/([^/]+)/', pathNot: '^renderer/features/$1/' },
    },
    {
      name: 'ui-knows-no-feature',
      severity: 'error',
      from: { path: '^renderer/(ui|client|state)/' },
      to: { path: '^renderer/(features|app)/' },
    },
    {
      name: 'pure-parts-have-no-node',
      comment: 'no I/O, no timers, no Node in the pure parts of core',
      severity: 'error',
      from: { path: pure },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'page-has-no-node',
      severity: 'error',
      from: { path: '^renderer/', pathNot: 'vite[.]config[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'preload-is-small',
      severity: 'error',
      from: { path: '^electron/(preload/|bridge[.]ts)' },
      to: { pathNot: ['^electron/bridge[.]ts$', '^node_modules/electron/', '^core/contract/'] },
    },
    {
      name: 'koffi-in-the-data-plane-only',
      severity: 'error',
      from: { pathNot: '^core/data-plane/' },
      to: { path: 'node_modules/koffi/' },
    },
    {
      name: 'no-build-tools-in-the-product',
      severity: 'error',
      from: { path: '^(core|electron)/' },
      to: { path: 'node_modules/(vite|vitest|playwright|@swc|dependency-cruiser)/' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json', '.css'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
