/** Istio Telemetry (telemetry/v1alpha1/telemetry.proto): what is traced, measured and logged. */
import { z } from 'zod';
import { MillisecondDuration } from './api-fields.ts';
import { policyTarget } from './policy-target.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';

const Mode = z.enum(['CLIENT_AND_SERVER', 'CLIENT', 'SERVER']);
const Providers = z.array(z.strictObject({ name: z.string().min(1, 'must not be empty') })).optional();

const CustomTag = z
  .strictObject({
    literal: z.strictObject({ value: z.string().min(1) }).optional(),
    environment: z.strictObject({ name: z.string().min(1), defaultValue: z.string().optional() }).optional(),
    header: z.strictObject({ name: z.string().min(1), defaultValue: z.string().optional() }).optional(),
    formatter: z.strictObject({ value: z.string().min(1) }).optional(),
  })
  .refine((tag) => Object.keys(tag).length <= 1, { error: 'give one of literal, environment, header and formatter' });

const TagOverride = z
  .strictObject({ operation: z.enum(['UPSERT', 'REMOVE']).optional(), value: z.string().optional() })
  .refine(({ operation = 'UPSERT', value = '' }) => (operation === 'UPSERT') === (value !== ''), {
    error: 'needs a value for UPSERT and none for REMOVE',
  });

const metricNames = [
  ...['ALL_METRICS', 'REQUEST_COUNT', 'REQUEST_DURATION', 'REQUEST_SIZE', 'RESPONSE_SIZE', 'TCP_OPENED_CONNECTIONS'],
  ...[
    'TCP_CLOSED_CONNECTIONS',
    'TCP_SENT_BYTES',
    'TCP_RECEIVED_BYTES',
    'GRPC_REQUEST_MESSAGES',
    'GRPC_RESPONSE_MESSAGES',
  ],
] as const;

const MetricSelector = z
  .strictObject({
    metric: z.enum(metricNames).optional(),
    customMetric: z.string().min(1).optional(),
    mode: Mode.optional(),
  })
  .refine(({ metric, customMetric }) => metric === undefined || customMetric === undefined, {
    error: 'give metric or customMetric',
  });

export const Telemetry = z.strictObject({
  apiVersion: z.enum(['telemetry.istio.io/v1', 'telemetry.istio.io/v1alpha1']),
  kind: z.literal('Telemetry'),
  metadata: ResourceMetadata,
  spec: z
    .strictObject({
      ...policyTarget,
      tracing: z
        .array(
          z.strictObject({
            match: z.strictObject({ mode: Mode.optional() }).optional(),
            providers: Providers,
            randomSamplingPercentage: z.number().min(0).max(100).optional(),
            disableSpanReporting: z.boolean().optional(),
            customTags: z.record(z.string().min(1), CustomTag).optional(),
            useRequestIdForTraceSampling: z.boolean().optional(),
            enableIstioTags: z.boolean().optional(),
            disableContextPropagation: z.boolean().optional(),
          }),
        )
        .optional(),
      metrics: z
        .array(
          z.strictObject({
            providers: Providers,
            overrides: z
              .array(
                z.strictObject({
                  match: MetricSelector.optional(),
                  disabled: z.boolean().optional(),
                  tagOverrides: z.record(z.string(), TagOverride).optional(),
                }),
              )
              .optional(),
            reportingInterval: MillisecondDuration.optional(),
          }),
        )
        .optional(),
      accessLogging: z
        .array(
          z.strictObject({
            match: z.strictObject({ mode: Mode.optional() }).optional(),
            providers: Providers,
            disabled: z.boolean().optional(),
            /** CEL. */
            filter: z.strictObject({ expression: z.string().optional() }).optional(),
          }),
        )
        .optional(),
    })
    .optional(),
  status: Kept,
});
export type Telemetry = z.infer<typeof Telemetry>;
