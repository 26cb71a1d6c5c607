/** `tls` and `tcp` rules of an Istio VirtualService: connections are matched by SNI, or by port and address alone. */
import { z } from 'zod';
import { NonNegative, OptionalPortNumber, StringMap, Strings } from './api-fields.ts';
import { Destination } from './http-actions.ts';

const RouteDestination = z.strictObject({ destination: Destination, weight: NonNegative.optional() });

/** For ports `https-*` and `tls-*`, by SNI. */
export const TlsRule = z.strictObject({
  match: z.array(
    z.strictObject({
      /** `*.com` matches `foo.example.com` and `example.com`. */
      sniHosts: Strings,
      destinationSubnets: Strings.optional(),
      port: OptionalPortNumber.optional(),
      /** These three select which proxies get the rule. */
      sourceLabels: StringMap.optional(),
      gateways: Strings.optional(),
      sourceNamespace: z.string().optional(),
    }),
  ),
  route: z.array(RouteDestination).optional(),
});
export type TlsRule = z.infer<typeof TlsRule>;

/** For all other ports that are not HTTP. */
export const TcpRule = z.strictObject({
  match: z
    .array(
      z.strictObject({
        destinationSubnets: Strings.optional(),
        port: OptionalPortNumber.optional(),
        sourceSubnet: z.string().optional(),
        sourceLabels: StringMap.optional(),
        gateways: Strings.optional(),
        sourceNamespace: z.string().optional(),
      }),
    )
    .optional(),
  route: z.array(RouteDestination).optional(),
});
export type TcpRule = z.infer<typeof TcpRule>;
