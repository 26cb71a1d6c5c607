import type { HandlersOf } from './fake-control-plane-host.ts';

export function fakeExport(yaml: () => string): HandlersOf<'export'> {
  const exported = (outDir: string | null) => [
    {
      target: 'istio',
      files: [
        { path: 'shop/payments.yaml', content: yaml() },
        {
          path: 'shop/mtls.yaml',
          content:
            'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: shop\nspec:\n  mtls:\n    mode: PERMISSIVE\n',
        },
        { path: 'REPORT.md', content: '# What was exported\n\n2 mapped, 1 approximated, 1 dropped.\n' },
      ],
      findings: [
        {
          kind: 'mapped' as const,
          what: 'split of payments',
          reason: 'VirtualService with 2 routes',
          file: 'shop/payments.yaml',
        },
        {
          kind: 'mapped' as const,
          what: 'mutual TLS',
          reason: 'PeerAuthentication, PERMISSIVE',
          file: 'shop/mtls.yaml',
        },
        {
          kind: 'approximated' as const,
          what: 'fault orders → payments',
          reason: 'a route cannot name its caller; sourceLabels select it instead',
          file: 'shop/payments.yaml',
        },
        {
          kind: 'dropped' as const,
          what: 'duration of 60 s',
          reason: 'Istio faults do not end by themselves',
          file: null,
        },
      ],
      outDir,
    },
  ];
  return {
    'export.preview': () => exported(null),
    'export.write': ({ outDir }) => exported(outDir),
  };
}
